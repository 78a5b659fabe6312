"""Programs that grow when they are written out stay small, or are refused with a code."""

from __future__ import annotations

import sys

from tests.unit.build_help import build, codes

HEAD = "kernel k(x: f32[N]) -> y: f32[N] {\n"


def chain(depth: int, body: str) -> str:
    """Return functions of which each uses the one before, as ``body`` says."""
    steps = (f"fn g{n}(x) = {body.replace('g(', f'g{n - 1}(')}\n" for n in range(1, depth))
    return "fn g0(x) = x\n" + "".join(steps) + f"{HEAD} y[i] = g{depth - 1}(x[i])\n}}\n"


def test_functions_that_double_share_their_values() -> None:
    assert len(build(chain(60, "g(x) * g(x)")).nodes) < 100
    assert len(build(chain(60, "g(x) * g(x + 1)")).nodes) < 4000


def test_conditions_that_double_share_their_values() -> None:
    lines = "".join(f" p{n + 1} = p{n} and x[i] > {n} or p{n}\n" for n in range(30))
    graph = build(f"{HEAD} p0 = x[i] > 0\n{lines} y[i] = x[i] if p30 else 0\n}}\n")
    assert len(graph.nodes) < 400


def test_depth_counts_functions() -> None:
    limit = sys.getrecursionlimit()
    assert codes(chain(60, "abs(g(x))")) == []
    assert codes(chain(140, "abs(g(x))")) == ["HST0006"]
    assert sys.getrecursionlimit() == limit


def test_formats_that_double_are_refused() -> None:
    text = "format f0(i) = dense(i)\n" + "".join(
        f"format f{n}(i) = f{n - 1}(i) + f{n - 1}(i)\n" for n in range(1, 12)
    )
    assert set(codes(text)) == {"HST3012"}


def test_monoids_that_double_are_refused() -> None:
    text = "fn g0(x) = x\n" + "".join(
        f"fn g{n}(x) = g{n - 1}(x) + g{n - 1}(x)\n" for n in range(1, 40)
    )
    text += "monoid m(x) {\n one h = g39(x)\n none h = 0\n merge h = a.h + b.h\n give h\n}\n"
    assert codes(text) == ["HST1022"]


def test_errors_stop_at_twenty() -> None:
    lines = "".join(f" t{n}[i] = x[i] * foo{n}\n" for n in range(500))
    assert codes(f"{HEAD}{lines} y[i] = x[i]\n}}\n") == ["HST1001"] * 20


def test_a_kernel_with_too_many_operations_says_so_once() -> None:
    lines = "".join(f" t{n}[i] = x[i] * {n}.5\n" for n in range(4000))
    assert codes(f"{HEAD}{lines} y[i] = x[i]\n}}\n") == ["HST1022"]


def test_large_size_expressions_are_refused_in_shapes() -> None:
    sizes = " * ".join(f"(A{n} + B{n})" for n in range(8))
    assert codes(f"kernel k(x: f32[{sizes}]) -> y: f32 {{ y = 1 }}") == ["HST2008"]


def test_large_size_expressions_are_values_elsewhere() -> None:
    sizes = " * ".join(["(N + M)"] * 40)
    text = f"kernel k(x: f32[N], w: f32[M]) -> y: f32[N] {{ y[i] = x[i] * ({sizes}) / M }}"
    assert codes(text) == []
