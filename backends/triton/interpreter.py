"""Runs generated modules in Triton's interpreter, in a process of its own.

Triton decides when it is imported whether functions are compiled or interpreted, for the whole
process. So that one process may do both, interpretation happens in a child, which
:mod:`hastec.backends.triton.load_child` is. Requests and answers are JSON lines; arrays are files.
"""

from __future__ import annotations

import ctypes
import functools
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

_START = (
    "import json, os, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "os.environ['TRITON_INTERPRET'] = '1'; "
    "from hastec.backends.triton.load_child import main; main()"
)
"""The child finds modules where this process does, wherever it was started."""


class Tensor(Protocol):
    """A contiguous tensor in host memory, as torch has them."""

    @property
    def dtype(self) -> object:
        """The type of its elements; prints as ``torch.float32``."""
        ...

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        ...

    def numel(self) -> int:
        """Return the number of elements."""
        ...

    def element_size(self) -> int:
        """Return the bytes of an element."""
        ...


class Worker:
    """A child that interprets; started on first use, ended with its owner."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None
        self.lock = threading.Lock()

    def run(
        self, source: Path, name: str, arrays: Sequence[Tensor], sizes: Sequence[int], programs: int
    ) -> None:
        """Run ``programs`` programs of the function ``name`` in the file ``source``.

        ``arrays`` are written in place. Raises RuntimeError with the child's report.
        """
        with tempfile.TemporaryDirectory(prefix="haste-") as folder:
            places = [Path(folder) / str(n) for n in range(len(arrays))]
            request = {
                "source": str(source),
                "name": name,
                "arrays": [_write(*pair) for pair in zip(places, arrays, strict=True)],
                "sizes": list(sizes),
                "programs": programs,
            }
            with self.lock:
                error = self._ask(request)
            if error:
                raise RuntimeError(error)
            for place, array in zip(places, arrays, strict=True):
                data = place.read_bytes()
                ctypes.memmove(array.data_ptr(), data, len(data))

    def _ask(self, request: dict[str, object]) -> str:
        """Return what went wrong in the child, or ""."""
        child = self._child()
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        line = child.stdout.readline()
        return str(json.loads(line)["error"]) if line else "the interpreting process ended"

    def _child(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, "-c", _START, json.dumps(sys.path)]
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        return self.process

    def close(self) -> None:
        """End the child."""
        if self.process is not None:
            if self.process.stdin is not None:
                self.process.stdin.close()
            if self.process.stdout is not None:
                self.process.stdout.close()
            self.process.wait()
            self.process = None

    def __del__(self) -> None:
        self.close()


@functools.cache
def shared_worker() -> Worker:
    """Return the child that all backends of this process share: one takes seconds to start."""
    return Worker()


def _write(place: Path, array: Tensor) -> dict[str, object]:
    bytes_ = array.numel() * array.element_size()
    place.write_bytes(ctypes.string_at(array.data_ptr(), bytes_) if bytes_ else b"")
    kind = str(array.dtype).removeprefix("torch.")
    return {"file": str(place), "dtype": kind, "count": array.numel()}
