"""Hostile calls of bound programs on the CPU backend: right answers and refusals, no crash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

import hastec
from hastec.diag import HasteError
from hastec.levels.registry import default_registry
from hastec.options import Options
from hastec.run.interpreted import Interpreted
from tests.robust import hostile as h
from tests.robust import malformed as m

W = m.table()
X = torch.tensor([1.0, -2.0, 3.0, 0.0, 5.0, -1.0, 2.0, 4.0])
WIDE = torch.arange(16.0)


def backwards() -> Any:
    return np.arange(8, dtype=np.float32)[::-1]


def freed() -> Any:
    x = torch.ones(8)
    x.untyped_storage().resize_(0)
    return x


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "missing": (lambda: None, "HST4001"),
    "a list": (lambda: [1.0] * 8, "HST4001"),
    "a number": (lambda: 2.0, "HST4001"),
    "text": (lambda: "x", "HST4021"),
    "f64": (lambda: X.double(), "HST4002"),
    "f16": (lambda: X.half(), "HST4002"),
    "bf16": (lambda: X.bfloat16(), "HST4002"),
    "bool": (lambda: X.bool(), "HST4002"),
    "i32": (lambda: X.int(), "HST4002"),
    "complex": (lambda: X.to(torch.complex64), "HST4001"),
    "NumPy f64": (lambda: X.double().numpy(), "HST4002"),
    "the other byte order": (lambda: X.numpy().astype(">f4"), "HST4002"),
    "no dimension": (lambda: torch.tensor(1.0), "HST4003"),
    "two dimensions": (lambda: X[None], "HST4003"),
    "one short": (lambda: X[:-1], "HST4004"),
    "one long": (lambda: torch.cat((X, X[:1])), "HST4004"),
    "empty": (lambda: X[:0], "HST4004"),
    "2^40 long": (lambda: torch.ones(1).expand(2**40), "HST4006"),
    "every other": (lambda: WIDE[::2], "HST4006"),
    "expanded": (lambda: torch.ones(1).expand(8), "HST4006"),
    "negative strides": (backwards, "HST4006"),
    "misaligned": (lambda: WIDE[1:9], "HST4006"),
    "on meta": (lambda: X.to("meta"), "HST4008"),
    "freed": (freed, "HST4008"),
    "sparse": (lambda: X.to_sparse(), "HST4001"),
    "quantized": (lambda: torch.quantize_per_tensor(X, 0.1, 0, torch.qint8), "HST4001"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_dense_tables_that_are_refused(case: str, options: Options) -> None:
    plan = h.product("csr", options).bind(W=W)
    make, expected = REFUSED[case]
    code, _ = h.outcome(lambda: plan(x=make()), "x")
    assert code == expected
    assert torch.equal(plan(x=X), W @ X)


TAKEN: dict[str, Callable[[], Any]] = {
    "NumPy": lambda: X.numpy(),
    "read-only NumPy": lambda: np.frombuffer(X.numpy().tobytes(), np.float32),
    "with a gradient": lambda: X.clone().requires_grad_(),
    "a parameter": lambda: torch.nn.Parameter(X),
    "a view": lambda: torch.cat((WIDE, X))[16:],
}


@pytest.mark.parametrize("case", TAKEN)
def test_dense_tables_that_are_taken(case: str, options: Options) -> None:
    plan = h.product("csr", options).bind(W=W)
    assert torch.equal(plan(x=TAKEN[case]()), W @ X)


@pytest.mark.parametrize("case", ["every other", "expanded", "negative strides", "misaligned"])
def test_the_short_way_takes_what_can_be_copied(case: str, options: Options) -> None:
    given = REFUSED[case][0]()
    wanted = W @ torch.as_tensor(np.ascontiguousarray(given))
    assert torch.equal(h.product("chosen", options)(W=W, x=given), wanted)


@pytest.mark.parametrize("table", h.TABLES)
@pytest.mark.parametrize("shape", [(0, 8), (6, 0), (0, 0), (1, 1), (1, 8), (6, 1), (6, 8), (33, 7)])
def test_small_and_empty_tables(table: str, shape: tuple[int, int], options: Options) -> None:
    x = torch.arange(shape[1]) + 1.0
    for dense in (torch.zeros(shape), torch.ones(shape)):
        for given in (dense, dense.to_sparse(), dense.to_sparse_csr()):
            program = h.product(table, options)
            code, y = h.outcome(lambda p=program, g=given: h.answer(p, table, g, x), "W")
            assert code == m.OK and torch.equal(y, dense @ x), (code, given.layout)


def test_names_and_sizes(options: Options) -> None:
    plan = h.product("csr", options).bind(W=W)
    for given, name, expected in (
        ({}, "x", "HST4024"),
        ({"x": X, "X": X}, "X", "HST4024"),
        ({"x": X, "W": W}, "W", "HST4024"),
        ({"x": X, "y": X}, "y", "HST4024"),
        ({"x": X, "Q": 3}, "Q", "HST4024"),
        ({"x": X, "M": 7}, "M", "HST4004"),
        ({"x": X, "M": 10**9}, "M", "HST4004"),
        ({"x": X, "K": -1}, "K", "HST4004"),
        ({"x": X, "K": 8.0}, "K", "HST4024"),
        ({"x": X, "K": 2**70}, "K", "HST4004"),
    ):
        assert h.outcome(lambda g=given: plan(**g), name)[0] == expected, given.keys()
    assert torch.equal(plan(x=X, M=6, K=8), W @ X)


def compiled(text: str, options: Options) -> hastec.Program:
    return hastec.compile(f"haste 1\n{text}\n", backend_name="cpu", options=options)


def test_outputs_that_memory_cannot_hold(options: Options) -> None:
    spread = compiled("kernel s(x: f32[M]) -> y: f32[M, N] { y[m, n] = x[m] }", options).bind()
    assert h.outcome(lambda: spread(x=X, N=2**40), "y")[0] == "HST4017"
    assert h.outcome(lambda: spread(x=X, N=2**63 - 1), "y")[0] == "HST4017"
    assert spread(x=X, N=0).shape == (8, 0)
    assert torch.equal(spread(x=X, N=3), X[:, None].expand(8, 3))


BAG = """kernel bag(E: f32[V], id: {id}[N], off: {off}[B + 1]) -> y: f32[B] {{
    y[b] = sum[n in off[b] .. off[b + 1]] E[id[n]]
}}"""
FAR = (0, 1, 4, 5, -1, 2**31 - 1, 2**31, 2**32, 2**32 + 2, -(2**31), -(2**31) - 1, 2**62, -(2**63))


@pytest.mark.parametrize("kind", ["i32", "i64"])
def test_ranges_read_from_tables_stay_inside(kind: str, options: Options) -> None:
    """Their own range is cut to the size the index is used at, whatever numbers are far off."""
    bag = compiled(BAG.format(id="i32", off=kind), options).bind()
    table, dtype = torch.arange(8.0), torch.int32 if kind == "i32" else torch.int64
    index = torch.tensor([1, 3, 5, 7], dtype=torch.int32)
    fit = [n for n in FAR if kind == "i64" or -(2**31) <= n < 2**31]
    for lo in fit:
        for hi in fit:
            off = torch.tensor([lo, hi], dtype=dtype)
            wanted = sum(float(1 + 2 * n) for n in range(4) if lo <= n < hi)
            assert bag(E=table, id=index, off=off).tolist() == [wanted], (lo, hi)


@pytest.mark.parametrize("kind", ["i32", "i64"])
def test_index_tables_name_the_first_element_that_is_wrong(kind: str, options: Options) -> None:
    bag = compiled(BAG.format(id=kind, off="i32"), options).bind()
    table, dtype = torch.arange(8.0), torch.int32 if kind == "i32" else torch.int64
    off = torch.tensor([0, 4], dtype=torch.int32)
    for wrong in (8, -1, 2**31 - 1, -(2**31), 2**31, 2**32, 2**62, -(2**63)):
        if kind == "i32" and not -(2**31) <= wrong < 2**31:
            continue
        index = torch.tensor([1, 3, wrong, wrong], dtype=dtype)
        with pytest.raises(HasteError) as caught:
            bag(E=table, id=index, off=off)
        assert f"id[2] is {wrong}, used as an index of 0 .. 8" in str(caught.value)


def test_guarded_subscripts_read_nothing_outside(options: Options) -> None:
    text = "kernel g(x: f32[K], i: i64[N]) -> y: f32[N] { y[n] = x[i[n]] if i[n] >= 0 else -1 }"
    guarded = compiled(text, options).bind()
    index = torch.tensor([n for n in FAR if n < 0 or n >= 8] + [3])
    wanted = [-1.0 if n < 0 else 0.0 for n in index.tolist()[:-1]] + [3.0]
    assert guarded(x=torch.arange(8.0), i=index).tolist() == wanted


def test_scalars_that_are_subscripts(options: Options) -> None:
    one = compiled("kernel o(x: f32[K], s: i32) -> y: f32 { y = x[s] }", options).bind()
    assert one(x=X, s=2).item() == 3.0 and one(x=X, s=np.int64(4)).item() == 5.0
    for wrong, expected in ((8, "HST4019"), (-1, "HST4019"), (2**31, "HST4018"), (1.0, "HST4002")):
        assert h.outcome(lambda w=wrong: one(x=X, s=w), "s")[0] == expected


def test_tables_that_agree_with_no_other(options: Options) -> None:
    tables = "x: f32[N], y: f32[N], z: f32[2 * N]"
    text = f"kernel a({tables}) -> r: f32 {{ r = sum[n] x[n] * y[n] * z[n + n] }}"
    plan = compiled(text, options).bind()
    assert h.outcome(lambda: plan(x=X, y=X[:-1], z=WIDE), "y")[0] == "HST4004"
    assert h.outcome(lambda: plan(x=X, y=X, z=WIDE[:-1]), "z")[0] == "HST4004"
    with pytest.raises(HasteError, match="note: N = 8 is dimension 0 of x"):
        plan(x=X, y=X[:-1], z=WIDE)
    assert plan(x=X, y=X, z=WIDE).item() == (X * X * WIDE[::2]).sum().item()


def test_a_bad_call_leaves_no_trace(options: Options) -> None:
    plan = h.product("step", options).bind()
    good = W.to_sparse_csr()
    for _ in range(3):
        assert torch.equal(plan(W=good, x=X), W @ X)
        broken = torch.sparse_csr_tensor(
            good.crow_indices(), good.col_indices() + 5, good.values(), W.shape,
            check_invariants=False,
        )  # fmt: skip
        assert h.outcome(lambda b=broken: plan(W=b, x=X), "W")[0] == "HST4012"


UPDATE = """kernel u(k: f32[D], K: inout f32[L, D], n: i32) { K[n, d] := k[d] }"""


def test_what_is_written_shares_memory_with_nothing_else(options: Options) -> None:
    update = compiled(UPDATE, options).bind()
    room = torch.zeros(4, 4)
    assert h.outcome(lambda: update(k=room[0], K=room, n=1), "K")[0] == "HST4020"
    assert torch.equal(update(k=torch.ones(4), K=room, n=1)[1], torch.ones(4))


TOP = """kernel t(x: f32[B, N], V: f32[N], at: i32[B]) -> y: f32[B] {
    T    = topk[n](x[b, n]; k = 2)
    y[b] = V[at[b]] * sum[n in T] x[b, n]
}"""


def test_interpreted_programs_refuse_what_compiled_ones_do(options: Options) -> None:
    plan = Interpreted(compiled(TOP, options).graph, {}, {}, "cpu", default_registry())
    x, values = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]]), torch.tensor([1.0, 10.0, 100.0])
    at = torch.tensor([1, 2], dtype=torch.int32)
    assert plan(x=x, V=values, at=at).tolist() == [50.0, 900.0]
    for wrong in (3, -1, 2**31 - 1):
        bad = torch.tensor([1, wrong], dtype=torch.int32)
        with pytest.raises(HasteError, match=r"HST4901.*`V` is read out of range"):
            plan(x=x, V=values, at=bad)
    assert h.outcome(lambda: plan(x=x, V=values), "at")[0] == "HST4024"
    assert h.outcome(lambda: plan(x=x, V=values[:2], at=at), "V")[0] == "HST4004"
    assert h.outcome(lambda: plan(x=x.double(), V=values, at=at), "x")[0] == "HST4002"


def far_columns() -> Any:
    index = torch.tensor([[0, 0, 2, 2], [5, 2**33 - 1, 2**31, 2**32 + 5]])
    values = torch.tensor([2.0, 3.0, 4.0, 1.0])
    return torch.sparse_coo_tensor(index, values, (3, 2**33), check_invariants=False)


def test_columns_past_2_to_the_31(options: Options) -> None:
    """An index code that holds them gives exact coordinates; others refuse; none wraps around."""
    sums = "kernel s(W: static f32[M, K] @ {}) -> y: i64[M] {{ y[m] = sum[k in W[m]] k }}"
    plan = compiled(sums.format("csr index i64"), options).bind(W=far_columns())
    assert plan().tolist() == [2**33 + 4, 0, 2**31 + 2**32 + 5]
    refused = {"csr": "HST4018", "coo": "HST4018", "csr index u16": "HST4018", "csc": "HST4017"}
    for name, expected in {**refused, "nm(2, 4)": "HST4017", "sell(4)": "HST4018"}.items():
        program = compiled(sums.format(name), options)
        assert h.outcome(lambda p=program: p.bind(W=far_columns()), "W")[0] == expected, name


def test_sizes_expected_when_binding_are_hints(options: Options) -> None:
    """What bound tables tell holds for every call; what was only expected binds none."""
    program = h.product("csr", options)
    assert torch.equal(program.bind(W=W, K=8)(x=X), W @ X)
    expecting = h.product("step", options).bind(M=1000, K=64)
    assert torch.equal(expecting(W=W.to_sparse_csr(), x=X), W @ X)
    graph = compiled(TOP, options).bind(B=9, N=1)
    x, at = torch.ones(2, 3), torch.zeros(2, dtype=torch.int32)
    assert graph(x=x, V=torch.ones(3), at=at).tolist() == [2.0, 2.0]
