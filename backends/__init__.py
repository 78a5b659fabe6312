"""Code generators: one folder a backend.

A backend is an object that keeps :class:`hastec.contracts.Backend`; it is listed here and nowhere
else.
"""

from __future__ import annotations

if __name__ != "hastec.backends":
    raise ImportError("import hastec.backends, not backends")

from hastec.contracts import Backend

BACKENDS = ("cpu", "triton")


def backend(name: str, interpret: bool = False) -> Backend:
    """Return the backend called ``name`` (KeyError if there is none).

    ``interpret`` runs what it generates in an interpreter, where the backend has one.
    """
    if name == "cpu":
        from hastec.backends.cpu.backend import Cpu

        return Cpu()
    if name == "triton":
        from hastec.backends.triton.backend import TritonBackend

        return TritonBackend(interpret)
    raise KeyError(name)
