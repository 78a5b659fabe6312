"""The language: its grammar, its syntax tree and its printer."""

if __name__ != "hastec.grammar":
    raise ImportError("import hastec.grammar, not grammar")
