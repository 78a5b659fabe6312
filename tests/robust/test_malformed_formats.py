"""Broken arrays of every declared format: an error that names the array, or a sound table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from hastec.ir import types as t
from hastec.ir.format import Format
from hastec.ir.graph import Param
from hastec.levels.assemble import to_dense
from hastec.levels.faults import TableError
from hastec.run.tables import TableValue, take
from hastec.sym.size import Size
from tests.unit import table_formats as tf
from tests.unit.table_help import Tensor, packed, table

X = table(5, 0.35, t.F32, (9, 14))


def param(fmt: Format) -> Param:
    return Param("W", t.F32, (Size.of("M"), Size.of("N")), format=fmt)


def components(fmt: Format) -> dict[str, Any]:
    """Return the arrays of a sound table under the names users give them."""
    made = packed(fmt, X)
    many = len(made.parts) > 1
    found: dict[str, Any] = {
        (f"p{n}.{name}" if many else name): torch.clone(x)
        for n, p in enumerate(made.parts)
        for name, x in p.arrays.items()
    }
    return {**found, "shape": tuple(X.shape)}


def taken(fmt: Format, given: dict[str, Any]) -> TableValue | str:
    """Return the table, or the code of the error it was refused with."""
    try:
        return take(param(fmt), given)
    except TableError as error:
        (found,) = error.diagnostics
        assert found.help and found.message.startswith("W")
        return found.code


def freed(x: Tensor) -> Tensor:
    x = x.clone()
    x.untyped_storage().resize_(0)
    return x


ALWAYS_WRONG: dict[str, tuple[Callable[[Tensor], Tensor], tuple[str, ...]]] = {
    "one long": (lambda x: torch.cat((x, x[-1:])), ("HST4010", "HST4011")),
    "two-dimensional": (lambda x: x.reshape(1, -1), ("HST4010",)),
    "float": (lambda x: x.double(), ("HST4002",)),
    "bool": (lambda x: x.bool(), ("HST4002",)),
    "complex": (lambda x: x.to(torch.complex64), ("HST4001", "HST4002")),
    "without data": (lambda x: x.to("meta"), ("HST4008",)),
    "freed": (freed, ("HST4008",)),
    "sparse": (lambda x: x.float().to_sparse(), ("HST4001",)),
    "a list": (lambda x: x.tolist(), ("HST4001",)),
}
NEVER_WRONG: dict[str, Callable[[Tensor], Tensor]] = {
    "strided": lambda x: torch.stack((x, x), -1)[:, 0],
    "misaligned": lambda x: torch.cat((x[:1], x))[1:],
}


@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
def test_sound_arrays_are_taken(fmt: Format) -> None:
    value = taken(fmt, components(fmt))
    assert isinstance(value, TableValue)
    assert torch.equal(to_dense(value.entries())[0], X)


@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
def test_what_is_always_wrong(fmt: Format) -> None:
    sound = components(fmt)
    for name, x in sound.items():
        if name == "shape" or not x.numel():
            continue
        for change, codes in ALWAYS_WRONG.values():
            got = taken(fmt, {**sound, name: change(x)})
            assert got in codes, (name, codes)
        short = taken(fmt, {**sound, name: x[:-1]})
        assert isinstance(short, str) or name.endswith("crd"), name
        missing = taken(fmt, {k: v for k, v in sound.items() if k != name})
        assert missing == "HST4009" or name.endswith("val"), name
    assert taken(fmt, {**sound, "extra": sound["shape"]}) in ("HST4001", "HST4009")
    some = next(iter(sound.values()))
    assert taken(fmt, {**sound, "9.crd": some}) == "HST4009"


@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
def test_what_is_odd_but_sound(fmt: Format) -> None:
    sound = components(fmt)
    for name, x in sound.items():
        for change in NEVER_WRONG.values():
            if name == "shape":
                continue
            value = taken(fmt, {**sound, name: change(x)})
            assert isinstance(value, TableValue), (name, value)
            assert torch.equal(to_dense(value.entries())[0], X)


@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
def test_a_number_out_of_place_is_seen_or_harmless(fmt: Format) -> None:
    """Each element of each index array takes ends, neighbours and far numbers in turn."""
    sound = components(fmt)
    for name, x in sound.items():
        if name == "shape" or name.endswith("val"):
            continue
        limits = torch.iinfo(x.dtype)
        for at in sorted({0, x.numel() // 2, x.numel() - 1} - {-1}):
            if not x.numel():
                continue
            for value in (-1, 0, 1, int(x[at]) + 1, 14, 15, 1000, limits.max, limits.min):
                if limits.min <= value <= limits.max and value != int(x[at]):
                    changed = x.clone()
                    changed[at] = value
                    check(fmt, taken(fmt, {**sound, name: changed}))


def check(fmt: Format, got: TableValue | str) -> None:
    if isinstance(got, str):
        assert got in ("HST4010", "HST4011", "HST4012", "HST4014", "HST4016")
        return
    entries = got.entries()
    pairs = list(zip(*(c.tolist() for c in entries.coords), strict=True))
    assert len(set(pairs)) == len(pairs)
    assert all(0 <= i < 9 and 0 <= j < 14 for i, j in pairs)


@pytest.mark.parametrize("fmt", tf.EXACT, ids=lambda f: f.name)
@pytest.mark.parametrize(
    "shape", [(9, 13), (8, 14), (10, 14), (0, 14), (9, 0), (2**40, 14), (9, 2**62)]
)
def test_another_shape_is_seen_or_harmless(fmt: Format, shape: tuple[int, int]) -> None:
    got = taken(fmt, {**components(fmt), "shape": shape})
    if isinstance(got, str):
        assert got in ("HST4009", "HST4010", "HST4011", "HST4012")
    else:
        entries = got.entries()
        assert all(
            i < shape[0] and j < shape[1]
            for i, j in zip(*(c.tolist() for c in entries.coords), strict=True)
        )


def test_parts_that_hold_the_same_coordinate() -> None:
    fmt = next(f for f in tf.EXACT if f.name == "nm_2_4_csr")
    sound = components(fmt)
    both = {**sound, "p1.1.pos": torch.zeros(10, dtype=torch.int32)}
    both["p1.1.pos"][1:] = 1
    both["p1.1.crd"] = torch.tensor([int(sound["p0.2.crd"][0])], dtype=torch.uint16)
    both["p1.val"] = torch.ones(1)
    assert taken(fmt, both) == "HST4014"
