"""Tables and sizes named on a command line: ``--bind W=weight.mtx --bind X=random:4096x16``."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hastec.arrays import torch_module
from hastec.diag import Diagnostic, HasteError, Source
from hastec.ir.graph import Graph, Param, Time
from hastec.ir.types import Kind
from hastec.run.demands import demands
from hastec.run.files import read_table
from hastec.run.intake import tensor_of
from hastec.run.invent import WAYS, Recipe, invent, read_recipe
from hastec.run.sizes import known_sizes
from hastec.run.tables import take
from hastec.text import listed, nearest

BAD = "HST6404"
TIMES: tuple[Time, ...] = ("static", "request", "step")
SUFFIXES = (".mtx", ".smtx", ".npy", ".npz", ".safetensors")


@dataclass(frozen=True, slots=True)
class Bindings:
    """What a command line gives: tables by name, as ``bind`` takes them, and sizes."""

    tables: Mapping[str, object]
    sizes: Mapping[str, int]

    def all(self) -> dict[str, object]:
        """Return tables and sizes together."""
        return {**self.sizes, **self.tables}

    def known(self, graph: Graph) -> dict[str, int]:
        """Return all sizes that are given, or that tables tell."""
        params = {p.name: p for p in graph.params}
        return known_sizes(graph.params, _shapes(params, self.tables, {}), self.sizes)


def read_bindings(
    args: argparse.Namespace, graph: Graph, source: Source, device: str = "cpu"
) -> Bindings:
    """Return what ``--bind`` and ``--size`` give for a kernel, tables on a device by torch's name.

    Raises HasteError HST6404 for a binding that cannot be understood, and what reading a table
    raises.
    """
    texts: list[str] = args.bind
    named: list[tuple[str, int]] = args.size
    try:
        found = _read(graph, _pairs(graph, texts), dict(named), args.seed)
        inputs = {p.name: p for p in graph.params}
        tables = {n: _on(device, inputs[n], table) for n, table in found.tables.items()}
        return Bindings(tables, found.sizes)
    except HasteError as error:
        raise error.at(source) from None


def _on(device: str, param: Param, table: object) -> object:
    """Return a table on a device; one declared to be in host memory stays there."""
    torch = torch_module()
    if device == "cpu":
        return table
    if param.host:
        if isinstance(table, torch.Tensor) and device.startswith("cuda"):
            return table.pin_memory()
        return table
    if isinstance(table, torch.Tensor):
        return table.to(device)
    if isinstance(table, Mapping):
        return {name: _on(device, param, part) for name, part in table.items()}
    if not hasattr(table, "dtype"):
        return table
    return torch.Tensor.to(tensor_of(param, table), device)


def _pairs(graph: Graph, texts: Sequence[str]) -> dict[str, str]:
    inputs = [p.name for p in graph.params if p.role != "out"]
    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = text.partition("=")
        if not sign or not name or not value:
            raise _bad(f"`{text}` is no binding", "write NAME=VALUE, such as X=random:4096x16")
        if name not in (*inputs, *graph.sizes):
            near = nearest(name, (*inputs, *graph.sizes))
            known = f"its inputs are {listed(inputs)}, its sizes {listed(graph.sizes)}"
            advice = f"did you mean `{near}`?" if near else known
            raise _bad(f"kernel {graph.name} has neither a table nor a size `{name}`", advice)
        if name in found:
            raise _bad(f"`{name}` is bound twice", "remove one of the bindings")
        found[name] = value
    return found


def _read(graph: Graph, pairs: Mapping[str, str], named: Mapping[str, int], seed: int) -> Bindings:
    params = {p.name: p for p in graph.params if p.role != "out"}
    sizes = {**named, **{n: _size(n, v) for n, v in pairs.items() if n not in params}}
    tables: dict[str, object] = {}
    recipes: dict[str, Recipe] = {}
    for name, text in pairs.items():
        if name in params:
            recipe = read_recipe(text)
            if recipe is not None:
                recipes[name] = recipe
            else:
                tables[name] = _given(params[name], text, seed)
    known = known_sizes(graph.params, _shapes(params, tables, recipes), sizes)
    asked = demands(graph)
    for name, recipe in recipes.items():
        _require_shape(params[name], recipe, known)
        need = asked.get(name)
        limits = need.limits if need is not None else ()
        told = all(n in known for limit in limits for n in limit.names())
        tables[name] = invent(
            params[name], recipe, seed=seed, demand=need if told else None, sizes=known
        )
    return Bindings(tables, sizes)


def _shapes(
    params: Mapping[str, Param], tables: Mapping[str, object], recipes: Mapping[str, Recipe]
) -> dict[str, tuple[int, ...]]:
    """Return the shapes that bindings tell."""
    found = {n: take(params[n], table, copy=True).shape for n, table in tables.items()}
    for name, recipe in recipes.items():
        if recipe.shape is not None and len(recipe.shape) == len(params[name].shape):
            found[name] = recipe.shape
    return found


def _require_shape(param: Param, recipe: Recipe, sizes: Mapping[str, int]) -> None:
    if recipe.shape is not None:
        return
    missing = [n for size in param.shape for n in size.names() if n not in sizes]
    if missing:
        message = f"the shape of `{param.name}` is not known: nothing tells {listed(missing)}"
        raise _bad(message, f"add it: {param.name}={recipe.way}:{example(param, sizes)}")


def _size(name: str, text: str) -> int:
    if not (text.isdecimal() and len(text) < 19):
        raise _bad(f"`{name}` is a size and cannot be `{text}`", f"write a number: {name}=16")
    return int(text)


def _given(param: Param, text: str, seed: int) -> object:
    """Return a number for a single value, else what a file holds."""
    if not param.shape:
        return _number(param, text)
    if not any(suffix in text for suffix in SUFFIXES) and not Path(text).exists():
        word = text.partition(":")[0].partition("@")[0]
        near = nearest(word, WAYS)
        advice = f"name a file, or write {param.name}=random:{example(param, {})}"
        if near:
            advice = f"did you mean `{param.name}={near}{text[len(word) :]}`?"
        raise _bad(f"`{text}` is neither a file nor a way to invent a table", advice)
    return read_table(param, Path(text), seed)


def _number(param: Param, text: str) -> object:
    torch = torch_module()
    kind = param.dtype.kind
    try:
        match kind:
            case Kind.BOOL:
                value: bool | int | float = {"true": True, "false": False}[text.lower()]
            case Kind.FLOAT:
                value = float(text)
            case _:
                value = int(text)
        return torch.tensor(value, dtype=getattr(torch, param.dtype.numpy))
    except (ValueError, KeyError, RuntimeError, OverflowError):
        raise _bad(
            f"`{param.name}` is one {param.dtype} and cannot be `{text}`",
            f"write a number: {param.name}={'true' if kind is Kind.BOOL else 2}",
        ) from None


def example(param: Param, sizes: Mapping[str, int]) -> str:
    """Return a shape for a table as a recipe states it: known sizes as numbers."""
    shown = []
    for size in param.shape:
        known = all(n in sizes for n in size.names())
        shown.append(str(size.evaluate(sizes)) if known else str(size).replace(" ", ""))
    return "x".join(shown)


def require(
    graph: Graph, bindings: Bindings, source: Source, times: Sequence[Time] = TIMES
) -> None:
    """Raise HasteError HST6404 for an input that is not bound, with a binding that would do.

    Only tables of ``times`` are asked for.
    """
    sizes = bindings.known(graph)
    for param in graph.params:
        if param.role != "out" and param.time in times and param.name not in bindings.tables:
            value = f"random:{example(param, sizes)}" if param.shape else "1"
            message = f"nothing is bound to the input `{param.name}`"
            told = Diagnostic(
                BAD, message, param.span, f"add --bind {param.name}={value}, or a file"
            )
            raise HasteError(told, source=source)


def _bad(message: str, help: str) -> HasteError:
    return HasteError(Diagnostic(BAD, message, help=help))
