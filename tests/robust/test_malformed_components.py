"""Broken sparse tables in every container: taken and right, or a TableError, and no third thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from hastec.ir import types as t
from hastec.ir.graph import Param
from hastec.levels.assemble import to_dense
from hastec.levels.faults import TableError
from hastec.run.tables import take
from hastec.sym.size import Size
from tests.robust import malformed as m

W = Param("W", t.F32, (Size.of("M"), Size.of("N")), sparse=True)


def as_mapping(p: m.Parts) -> dict[str, Any]:
    return {
        "indptr": p["starts"],
        "indices": p["index"],
        "values": p["values"],
        "shape": p["shape"],
    }


def as_columns(p: m.Parts) -> object:
    """The same arrays read as the transposed table."""
    shape = tuple(reversed(p["shape"])) if isinstance(p["shape"], tuple) else p["shape"]
    layout = "bsc" if p["values"].dim() == 3 else "csc"
    return {**as_mapping(p), "shape": shape, "layout": layout}


def as_numpy(p: m.Parts) -> object:
    return as_mapping(m.numpy_of(p))


def as_pairs(p: m.Parts) -> object:
    return {"row": p["index"][0], "col": p["index"][1], "values": p["values"], "shape": p["shape"]}


def as_indices(p: m.Parts) -> object:
    return {"indices": p["index"], "values": p["values"], "shape": p["shape"]}


def torch_compressed(layout: Any) -> Callable[[m.Parts], object]:
    def make(p: m.Parts) -> object:
        return torch.sparse_compressed_tensor(
            p["starts"], p["index"], p["values"], p["shape"], layout=layout, check_invariants=False
        )

    return make


def torch_coo(p: m.Parts) -> object:
    return torch.sparse_coo_tensor(p["index"], p["values"], p["shape"], check_invariants=False)


def scipy_broken(kind: Any, names: tuple[str, ...]) -> Callable[[m.Parts], object]:
    """SciPy checks what it is constructed from, and nothing that is put in afterwards."""

    def make(p: m.Parts) -> object:
        made = kind((m.ROWS, m.COLUMNS), dtype=np.float32)
        for name, part in zip(names, (p["starts"], p["index"], p["values"]), strict=True):
            setattr(made, name, m.numpy_of({"x": part})["x"])
        made._shape = p["shape"]
        return made

    return make


CONTAINERS: dict[str, tuple[Callable[[m.Tensor], m.Parts], Callable[[m.Parts], object]]] = {
    "mapping csr": (m.csr, as_mapping),
    "mapping bsr": (m.bsr, as_mapping),
    "mapping csc": (m.csr, as_columns),
    "numpy csr": (m.csr, as_numpy),
    "numpy bsr": (m.bsr, as_numpy),
    "mapping row, col": (m.coo, as_pairs),
    "mapping indices": (m.coo, as_indices),
    "torch csr": (m.csr, torch_compressed(torch.sparse_csr)),
    "torch bsr": (m.bsr, torch_compressed(torch.sparse_bsr)),
    "torch coo": (m.coo, torch_coo),
    "scipy csr": (m.csr, scipy_broken(sp.csr_array, ("indptr", "indices", "data"))),
}
"""For each container, how a table's components are made and how they are put into it."""


def broken(container: str, case: m.Case) -> object:
    """Return a container broken as ``case`` says; None if it cannot be broken like that."""
    parts_of, wrap = CONTAINERS[container]
    parts = parts_of(m.table())
    try:
        case.change(parts)
        return wrap(parts)
    except (RuntimeError, TypeError, KeyError, IndexError, AttributeError, ValueError):
        return None  # the container's own library refuses to hold this


def outcome(given: object) -> tuple[str, Any]:
    try:
        value = take(W, given)
    except TableError as error:
        (found,) = error.diagnostics
        assert found.message.startswith("W: ") and found.help
        return found.code, None
    return m.OK, value


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_case(container: str) -> None:
    made = 0
    for case in m.CASES:
        given = broken(container, case)
        if given is None:
            continue
        made += 1
        code, value = outcome(given)
        assert code in (*case.codes, *also(container, case.name)), case.name
        if code == m.OK and "columns" not in case.name:
            values, _ = to_dense(value.entries())
            assert values.shape == tuple(value.shape)
    assert made >= 30, f"only {made} of {len(m.CASES)} cases could be made"


def also(container: str, case: str) -> tuple[str, ...]:
    """Return what else is right for a container."""
    if "coo" in container and case in ("index float", "index bool", "index uint8"):
        return (m.OK, "HST4014")  # torch has made them int64: other coordinates, maybe twice
    if container in ("torch coo", "mapping row, col", "mapping indices"):
        return {
            "shape of other rows": (m.OK,),
            "shape without rows": ("HST4012",),
            "shape of one dimension": ("HST4010", "HST4003"),
            "index three-dimensional": ("HST4009",),
            "index one long": (m.OK,) if "row" in container else (),
        }.get(case, ())
    if "scipy" in container and case in ("shape of one dimension", "shape of three", "no shape"):
        return ("HST4001",)
    return ()


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_sound_is_taken_and_right(container: str) -> None:
    x = m.table()
    parts_of, wrap = CONTAINERS[container]
    value = take(W, wrap(parts_of(x)))
    values: m.Tensor = to_dense(value.entries())[0]
    values = values.T if container == "mapping csc" else values
    assert torch.equal(values, x)


@pytest.mark.parametrize("container", CONTAINERS)
def test_what_is_odd_but_sound_is_right(container: str) -> None:
    parts_of, wrap = CONTAINERS[container]
    for case in m.CASES:
        if case.codes != (m.OK,) or case.name.startswith("shape"):
            continue
        given = broken(container, case)
        if given is None:
            continue
        plain = parts_of(m.table())
        if case.name.startswith("values"):
            case.change(plain)
        (_, value), (_, expected) = outcome(given), outcome(wrap(plain))
        a, b = to_dense(value.entries())[0], to_dense(expected.entries())[0]
        assert torch.equal(bits(a), bits(b)), case.name


def bits(x: m.Tensor) -> m.Tensor:
    return x.view(torch.int32)
