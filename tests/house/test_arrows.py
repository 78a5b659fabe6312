"""The import arrows: lower layers never import higher ones, and every module has its layer."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys

from tests.house.tree import ROOT, files, imports, none


def test_the_arrows_hold() -> None:
    # The tool has no `-m` form of its own; its command is a call of this function.
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def layers() -> list[set[str]]:
    """Return the layers of the configuration, the highest first."""
    config = configparser.ConfigParser()
    config.read(ROOT / ".importlinter")
    lines = config["importlinter:contract:order"]["layers"].split("\n")
    return [{part.strip(" ()") for part in line.split("|")} for line in lines if line.strip()]


def test_modules_without_a_package_are_seen_too() -> None:
    """The same arrows, read from the text: a second opinion that knows no configuration."""
    height = {name: n for n, layer in enumerate(reversed(layers())) for name in layer}
    found = []
    for name in files():
        parts = name.removesuffix(".py").split("/")
        own = parts[1] if parts[0] == "hastec" else parts[0]
        if own == "__init__":
            continue
        for line, module in imports(name):
            other = module.split(".")[1] if module.startswith("hastec.") else own
            if other in height and other != own and height[other] >= height[own]:
                found.append(f"{name}:{line} {own} -> {other}")
    none(found)
