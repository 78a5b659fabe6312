"""Invented tables: recipes, values of each type, and indices that stay inside."""

from __future__ import annotations

import pytest
import torch

from hastec.diag import HasteError, Source
from hastec.front.build import check
from hastec.ir import types as t
from hastec.ir.graph import Param
from hastec.run.demands import Demand, demands
from hastec.run.invent import Recipe, invent, read_recipe
from hastec.sym.size import Size

M, N = Size.of("M"), Size.of("N")


@pytest.mark.parametrize(
    ("text", "recipe"),
    [
        ("random:4096x16", Recipe("random", (4096, 16))),
        ("random:64x64@0.1", Recipe("random", (64, 64), 0.1)),
        ("random@0.5", Recipe("random", None, 0.5)),
        ("zeros", Recipe("zeros")),
        ("range:17@64", Recipe("range", (17,), 64.0)),
        ("integers:0", Recipe("integers", (0,))),
    ],
)
def test_recipes(text: str, recipe: Recipe) -> None:
    assert read_recipe(text) == recipe


@pytest.mark.parametrize(
    "text", ["", "randm:4", "random:", "random:4x", "random:x4", "random:4@", "random:4@.", "4x4"]
)
def test_what_is_no_recipe(text: str) -> None:
    assert read_recipe(text) is None


@pytest.mark.parametrize("dtype", t.ALL, ids=str)
@pytest.mark.parametrize("way", ["random", "integers", "zeros", "ones", "range"])
def test_every_type_in_every_way(dtype: t.DType, way: str) -> None:
    param = Param("x", dtype, (M, N))
    recipe = read_recipe(f"{way}:3x5")
    assert recipe is not None
    made = invent(param, recipe)
    assert made.shape == (3, 5) and str(made.dtype) == f"torch.{dtype.numpy}"
    if way == "integers" and dtype.is_integer:
        low = -(1 << dtype.bits - 1) if dtype.kind is t.Kind.INT else 0
        values = [int(x) for x in made.reshape(-1).tolist()]
        assert low <= min(values) and max(values) < low + (1 << dtype.bits)


def test_the_share_of_entries() -> None:
    param = Param("W", t.F32, (M, N), sparse=True)
    made = invent(param, Recipe("random", (200, 200)))
    assert 0.08 < (made != 0).float().mean() < 0.12
    made = invent(param, Recipe("integers", (200, 200), 0.5))
    assert 0.48 < (made != 0).float().mean() < 0.52


def test_absent_entries_are_the_fill() -> None:
    param = Param("E", t.F32, (M, N), sparse=True, fill=float("inf"))
    made = invent(param, Recipe("integers", (100, 100), 0.2))
    assert 0.75 < torch.isinf(made).float().mean() < 0.85


def test_truth_values() -> None:
    made = invent(Param("P", t.BOOL, (M,)), Recipe("random", (1000,), 0.2))
    assert made.dtype == torch.bool and 150 < made.sum() < 250


def test_a_range_counts_in_steps() -> None:
    made = invent(Param("off", t.I64, (M,)), Recipe("range", (4,), 64.0))
    assert made.tolist() == [0, 64, 128, 192]


def test_the_same_seed_and_name_give_the_same_table() -> None:
    one, other = Param("a", t.F32, (M,)), Param("b", t.F32, (M,))
    recipe = Recipe("random", (9,))
    assert invent(one, recipe).equal(invent(one, recipe))
    assert not invent(one, recipe).equal(invent(one, recipe, seed=1))
    assert not invent(one, recipe).equal(invent(other, recipe))


def test_a_shape_from_sizes() -> None:
    made = invent(Param("x", t.F32, (M, M * N)), Recipe("zeros"), sizes={"M": 2, "N": 3})
    assert made.shape == (2, 6)


def test_wrong_shapes_and_too_large_ones() -> None:
    with pytest.raises(HasteError, match="HST4003"):
        invent(Param("x", t.F32, (M, N)), Recipe("zeros", (3,)))
    with pytest.raises(HasteError, match="HST4017"):
        invent(Param("x", t.F32, (M, N)), Recipe("zeros", (1 << 20, 1 << 20)))


def asked(text: str) -> dict[str, Demand]:
    return demands(check(Source("k", f"haste 1\n{text}\n"))[-1])


def test_subscripts_are_demanded() -> None:
    found = asked("kernel k(x: f32[N], id: i32[M]) -> y: f32[M] { y[m] = x[id[m]] }")
    assert found == {"id": Demand((N,))}


def test_ends_of_ranges_are_demanded() -> None:
    found = asked(
        "kernel k(x: f32[N], off: i64[M + 1]) -> y: f32[M] "
        "{ y[m] = sum[n in off[m] .. off[m + 1]] x[n] }"
    )
    assert found == {"off": Demand((N + 1,), True)}
    found = asked("kernel k(x: f32[N], len: i32[M]) -> y: f32[M] { y[m] = sum[n < len[m]] x[n] }")
    assert found == {"len": Demand((N + 1,))}


def test_places_of_updates_are_demanded() -> None:
    found = asked("kernel k(at: i32, K: inout f32[N]) { K[at] := 1 }")
    assert found == {"at": Demand((N,))}


def test_values_are_not_demanded() -> None:
    assert asked("kernel k(x: i32[N]) -> y: i32[N] { y[n] = x[n] * 2 }") == {}


def test_several_limits_hold_together() -> None:
    found = asked(
        "kernel k(x: f32[N], z: f32[M], id: i32[B]) -> y: f32[B] { y[b] = x[id[b]] * z[id[b]] }"
    )
    assert found["id"].below({"N": 5, "M": 3}) == 3
    made = invent(
        Param("id", t.I32, (Size.of("B"),)),
        Recipe("random", (100,)),
        demand=found["id"],
        sizes={"N": 5, "M": 3},
    )
    assert set(made.tolist()) == {0, 1, 2}


def test_starts_ascend_to_the_end() -> None:
    demand = Demand((N + 1,), True)
    made = invent(Param("off", t.I64, (M,)), Recipe("random", (9,)), demand=demand, sizes={"N": 20})
    values = made.tolist()
    assert values == sorted(values) and values[0] == 0 and values[-1] == 20
