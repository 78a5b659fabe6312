"""The pass line: one file a pass, in order."""

if __name__ != "hastec.passes":
    raise ImportError("import hastec.passes, not passes")
