"""``hastec doctor``: what is installed, what is missing and what to do about it."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from hastec import __version__
from hastec.cache import Store
from hastec.cli.answer import Answer, Data
from hastec.cli.arguments import Parser
from hastec.cli.cache import open_store
from hastec.diag import HasteError
from hastec.options import SETTINGS, Options
from hastec.text import amount, listed, nearest

NEEDED = (
    ("torch", "tables are its tensors", "pip install torch"),
    ("numpy", "the interpreter computes with it", "pip install numpy"),
    ("lark", "programs are parsed with it", "pip install lark"),
    ("llvmlite", "CPU kernels are compiled with it", "pip install llvmlite"),
    ("filelock", "processes share the cache with it", "pip install filelock"),
    ("platformdirs", "the cache is found with it", "pip install platformdirs"),
)
WANTED = (
    ("triton", "GPU kernels are compiled with it", "pip install 'hastec[triton]'"),
    ("scipy", "its sparse matrices can be passed", "pip install 'hastec[io]'"),
    ("networkx", "graphs are exported with it", "pip install networkx"),
    ("sympy", "cost formulas are shown with it", "pip install sympy"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: ``ok``, ``warn`` or ``bad``, what it is about, how it stands, what to do."""

    state: str
    what: str
    how: str
    advice: str = ""

    def data(self) -> Data:
        """Return the finding as JSON holds it."""
        return {"state": self.state, "what": self.what, "is": self.how, "advice": self.advice}


def configure(parser: Parser) -> None:
    """Add no arguments."""


def run(args: argparse.Namespace) -> Answer:
    """Look at everything; nothing that is missing makes this command fail."""
    found = [*_python(), *_libraries(), *_devices(), *_cache(), *_settings()]
    lines = [f"{f.state:5} {f.what:12} {f.how}" for f in found if not f.advice]
    lines += [f"{f.state:5} {f.what:12} {f.how}\n{'':19}-> {f.advice}" for f in found if f.advice]
    wrong = sum(f.state != "ok" for f in found)
    lines.append("everything is in order" if not wrong else f"{wrong} to look at")
    return Answer("\n".join(lines), {"findings": [f.data() for f in found], "to_do": wrong})


def _python() -> Iterator[Finding]:
    yield Finding("ok", "hastec", __version__)
    version = platform.python_version()
    where = f"{version} on {platform.system()} {platform.machine()}, {sys.executable}"
    fine = sys.version_info >= (3, 11)
    yield Finding("ok" if fine else "bad", "python", where, "" if fine else "use Python 3.11")


def _libraries() -> Iterator[Finding]:
    for names, state in ((NEEDED, "bad"), (WANTED, "warn")):
        for name, why, advice in names:
            if importlib.util.find_spec(name) is not None:
                yield Finding("ok", name, _version(name))
            else:
                yield Finding(state, name, f"not installed: {why}", advice)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "installed, version not stated"


# --------------------------------------------------------------------------------------- devices
def _devices() -> Iterator[Finding]:
    if importlib.util.find_spec("torch") is None:
        return
    from hastec.run.device import gpu

    found = gpu()
    if found is not None:
        target = found.target
        how = f"{found.model}: {target.name}, {target.units} multiprocessors"
        yield Finding("ok", "gpu", how)
        if importlib.util.find_spec("triton") is None:
            advice = "pip install 'hastec[triton]'; until then use --backend cpu"
            yield Finding("bad", "gpu", "there is one, and nothing to compile for it", advice)
    else:
        yield Finding("ok", "gpu", "none: programs run on the CPU, compiled (`run` needs no GPU)")
    yield from _cpu()


def _cpu() -> Iterator[Finding]:
    if importlib.util.find_spec("llvmlite") is None:
        return
    from hastec.backends.cpu import machine

    here = machine.processor("host")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield Finding("ok", "cpu", f"{here.cpu}, {cores} cores, {here.machine.bits}-bit vectors")


# ----------------------------------------------------------------------------------------- cache
def _cache() -> Iterator[Finding]:
    try:
        options = Options.from_environment()
    except HasteError:
        return  # told by the settings
    if options.skip_cache:
        yield Finding("warn", "cache", "switched off", "unset HASTE_SKIP_CACHE to use it")
        return
    store = open_store(options)
    rows = store.ls()
    size = sum(row.size for row in rows)
    if not store.warnings:
        how = f"{store.root}: {len(rows)} entries, {amount(size)} of {amount(options.cache_limit)}"
        yield Finding("ok", "cache", how)
        yield from _damage(store)
    for warning in store.warnings:
        yield Finding("warn", "cache", warning.message, warning.help)


def _damage(store: Store) -> Iterator[Finding]:
    wrong = store.verify()
    if wrong:
        how = f"{len(wrong)} damaged entries were set aside"
        yield Finding("warn", "cache", how, "nothing: they are made again when they are needed")


# -------------------------------------------------------------------------------------- settings
def _settings() -> Iterator[Finding]:
    try:
        options = Options.from_environment()
    except HasteError as error:
        for told in error.diagnostics:
            yield Finding("bad", "setting", told.message, told.help)
        return
    for origin in options.origins:
        if origin.source != "default":
            shown = f"{origin.setting.name} = {origin.text} (from {origin.source})"
            yield Finding("ok", "setting", shown)
    known = [setting.variable for setting in SETTINGS]
    for name in options.unknown:
        near = nearest(name, known)
        advice = f"did you mean {near}?" if near else f"settings are {listed(known)}"
        yield Finding("warn", "setting", f"{name} is no setting of HASTE", advice)
