"""HASTE: small programs over sparse tables become readable, tuned kernels."""

__version__ = "0.1.0"
