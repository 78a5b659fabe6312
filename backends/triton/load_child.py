"""The process that interprets generated modules; :mod:`hastec.backends.triton.interpreter` starts
it, with Triton's interpreter switched on before Triton is imported.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path
from typing import IO, Any

import torch

from hastec.backends.triton.interpreted_bf16 import round_to_nearest
from hastec.backends.triton.load_module import import_file


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    for line in requests:
        error = ""
        try:
            _run(json.loads(line))
        except Exception as why:
            error = f"{type(why).__name__}: {why}{_where(why)}"
        answers.write(json.dumps({"error": error}) + "\n")
        answers.flush()


def _where(why: BaseException) -> str:
    """Return the line of the generated module that failed."""
    while why.__cause__ is not None:
        why = why.__cause__
    frames = [f for f in traceback.extract_tb(why.__traceback__) if f.name != "<module>"]
    mine = [f for f in frames if "haste-" in f.filename]
    return f" (line {mine[-1].lineno}: {mine[-1].line})" if mine else ""


def _run(request: dict[str, Any]) -> None:
    made = import_file(Path(request["source"]), "haste_interpreted")
    fn: Any = getattr(made, request["name"])
    arrays = [
        torch.from_file(a["file"], shared=True, size=a["count"], dtype=getattr(torch, a["dtype"]))
        if a["count"]
        else torch.empty(0, dtype=getattr(torch, a["dtype"]))
        for a in request["arrays"]
    ]
    fn[(request["programs"],)](*arrays, *request["sizes"])


def main() -> None:
    """Serve the parent: requests come in by the standard input, answers go by the output."""
    round_to_nearest()
    channel = os.dup(1)
    # Whatever modules print must not reach the answers.
    os.dup2(2, 1)
    with os.fdopen(channel, "w", encoding="utf-8") as answers:
        serve(sys.stdin, answers)
