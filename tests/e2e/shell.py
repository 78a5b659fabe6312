"""The command line from tests: in this process, or in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hastec.cli.main import main

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> dict[str, Any]:
        """What was printed as JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def codes(self) -> list[str]:
        """The codes of the problems in the JSON."""
        return [p["code"] for p in self.data["problems"]]


def hastec(*argv: object) -> Done:
    """Run a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main([str(a) for a in argv])
    return Done(code, out.getvalue(), err.getvalue())


def shell(
    *argv: object, text: str = "", env: Mapping[str, str] | None = None, cwd: Path = ROOT
) -> Done:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "hastec", *map(str, argv)],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
    )
    return Done(done.returncode, done.stdout, done.stderr)


def example(name: str) -> Path:
    """Return the path of an example."""
    return EXAMPLES / f"{name}.haste"


def bind(*texts: str) -> list[str]:
    """Return the options that bind tables and sizes."""
    return [word for text in texts for word in ("--bind", text)]


def sizes(**named: int) -> list[str]:
    """Return the options that tell sizes."""
    return [word for name, n in named.items() for word in ("--size", f"{name}={n}")]
