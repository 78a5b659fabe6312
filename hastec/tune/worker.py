"""The process that compiles candidates, which :mod:`hastec.tune.building` starts.

It reads one JSON object a line and answers with one. LLVM's and Triton's Python sides hold locks
while they work, so that threads would take turns; processes do not. And a compiler that hangs or
dies takes only its own process with it.
"""

from __future__ import annotations

import base64
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import IO, Any

from hastec.backends import backend
from hastec.contracts import Built, Emitted
from hastec.ir.kernel import Kernel
from hastec.ir.kernel_read import read_kernel
from hastec.ir.kernel_show import show_kernel
from hastec.target import Target


def request(name: str, emitted: Emitted, kernel: Kernel, target: Target) -> str:
    """Return the line that asks for a build by the backend called ``name``."""
    asked = {
        "backend": name,
        "source": emitted.source,
        "suffix": emitted.suffix,
        "kernel": show_kernel(kernel),
        "target": asdict(target),
    }
    return json.dumps(asked) + "\n"


def answered(line: str) -> Built | str:
    """Return what an answer holds: a build, or why there is none."""
    found = json.loads(line)
    if found["error"]:
        return str(found["error"])
    files = {n: base64.b64decode(text) for n, text in found["files"].items()}
    return Built(files, found["facts"])


def serve(requests: IO[str], answers: IO[str]) -> None:
    """Answer requests until there are no more."""
    for line in requests:
        answers.write(_answer(json.loads(line)) + "\n")
        answers.flush()


def _answer(asked: Mapping[str, Any]) -> str:
    try:
        built = _build(asked)
    except Exception as why:
        return json.dumps({"error": f"{type(why).__name__}: {why}"})
    files = {n: base64.b64encode(content).decode() for n, content in built.files.items()}
    return json.dumps({"error": "", "files": files, "facts": dict(built.facts)})


def _build(asked: Mapping[str, Any]) -> Built:
    fields = {n: _tuple(value) for n, value in asked["target"].items()}
    emitted = Emitted(asked["source"], asked["suffix"])
    kernel = read_kernel(asked["kernel"])
    return backend(asked["backend"]).build(emitted, kernel, Target(**fields))


def _tuple(value: Any) -> Any:
    """Return a value with lists as the tuples they were."""
    return tuple(_tuple(v) for v in value) if isinstance(value, list) else value


def main() -> None:
    """Serve the parent: requests come in by the standard input, answers go by the output."""
    channel = os.dup(1)
    # Whatever compilers print, from Python or from C, must not reach the answers.
    os.dup2(2, 1)
    with os.fdopen(channel, "w", encoding="utf-8") as answers:
        serve(sys.stdin, answers)
