"""Runs generated modules in Triton's interpreter, in a process of its own.

Triton decides when it is imported whether functions are compiled or interpreted, for the whole
process. So that one process may do both, interpretation happens in a child, which
:mod:`hastec.backends.triton.child` is. Requests and answers are JSON lines; arrays are files.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class Worker:
    """A child that interprets; started on first use, ended with its owner."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[str] | None = None

    def run(
        self, source: Path, name: str, arrays: Sequence[Any], sizes: Sequence[int], programs: int
    ) -> None:
        """Run ``programs`` programs of the function ``name`` in the file ``source``.

        ``arrays`` are CPU tensors, written in place. Raises RuntimeError with the child's report.
        """
        with tempfile.TemporaryDirectory(prefix="haste-") as folder:
            request = {
                "source": str(source),
                "name": name,
                "arrays": [_write(Path(folder) / str(n), a) for n, a in enumerate(arrays)],
                "sizes": list(sizes),
                "programs": programs,
            }
            answer = self._ask(request)
            if answer["error"]:
                raise RuntimeError(answer["error"])
            for n, array in enumerate(arrays):
                _read(Path(folder) / str(n), array)

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        child = self._child()
        assert child.stdin is not None and child.stdout is not None
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        line = child.stdout.readline()
        if not line:
            raise RuntimeError("the interpreting process ended")
        found: dict[str, Any] = json.loads(line)
        return found

    def _child(self) -> subprocess.Popen[str]:
        if self.process is None or self.process.poll() is not None:
            command = [sys.executable, "-m", "hastec.backends.triton.child"]
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


def _write(path: Path, array: Any) -> dict[str, Any]:
    import torch

    flat = array.reshape(-1)
    path.write_bytes(bytes(flat.view(torch.uint8).numpy()) if flat.numel() else b"")
    return {"file": str(path), "dtype": str(array.dtype).split(".")[-1], "count": flat.numel()}


def _read(path: Path, array: Any) -> None:
    import torch

    if array.numel():
        data = torch.frombuffer(bytearray(path.read_bytes()), dtype=array.dtype)
        array.copy_(data.reshape(array.shape))
