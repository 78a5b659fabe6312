"""Kernels as stand-alone Triton modules."""

from hastec.backends.triton.backend import TritonBackend

__all__ = ["TritonBackend"]
