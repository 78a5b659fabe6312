"""Code generators: one folder a backend."""

if __name__ != "hastec.backends":
    raise ImportError("import hastec.backends, not backends")
