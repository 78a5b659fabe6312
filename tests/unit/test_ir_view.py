"""The networkx view of a graph, and sizes as formulas."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator

import networkx
import pytest

from hastec.ir.view import to_networkx
from hastec.sym.formula import always_le, always_lt, pretty, to_sympy
from hastec.sym.size import Size
from tests.prop.gen_graph import random_program

D, L, M, N = (Size.of(name) for name in "DLMN")


def test_the_view_is_json_and_loads_back() -> None:
    graph, _, _ = random_program(3)
    view = to_networkx(graph)
    data = json.loads(json.dumps(networkx.node_link_data(view, edges="edges")))
    again = networkx.node_link_graph(data, edges="edges")
    assert networkx.utils.graphs_equal(view, again)


def test_edges_go_from_operands_to_users_in_order() -> None:
    for seed in range(20):
        graph, _, _ = random_program(seed)
        view = to_networkx(graph)
        assert networkx.is_directed_acyclic_graph(view)
        assert list(view.nodes) == [n.id for n in graph.nodes]
        for node in graph.nodes:
            edges = sorted(view.in_edges(node.id, data=True), key=lambda edge: edge[2]["place"])
            shown = [f"%{source}" for source, _, data in edges if not data["bound"]]
            text = view.nodes[node.id]["op"]
            places = [text.find(name) for name in shown]
            assert all(place >= 0 for place in places), text
        names = {data["output"] for _, data in view.nodes(data=True)} - {""}
        assert names == {name for name, _ in graph.outputs}


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (Size.of(0), "0"),
        (-L, "-L"),
        (D * L * 2 + D * 2, "2 * D * (L + 1)"),
        (L * L * 4 - L * 2, "2 * L * (2 * L - 1)"),
        ((L + 63) // 64 * 64, "64 * ((L + 63) / 64)"),
        (D * (L // 64) + D * 4, "D * (floor(L/64) + 4)"),
    ],
)
def test_pretty(size: Size, text: str) -> None:
    assert pretty(size) == text


def test_formulas_have_the_value_of_the_size() -> None:
    size = (M * N - 3) // 4 * M + (N - M) % 5 - 2
    formula = to_sympy(size)
    for m, n in itertools.product(range(5), range(7)):
        given = {str(s): s for s in formula.free_symbols}
        value = formula.subs({given["M"]: m, given["N"]: n})
        assert value == size.evaluate({"M": m, "N": n})


PROVEN = [
    (L, (L + 63) // 64 * 64, 0),
    ((L + 63) // 64 * 64, L + 63, 0),
    (L // 64, L, 0),
    (L // 64 * 64, L, 0),
    (L, L * D, 1),
    (L - 1, L, 0),
    (Size.of(1), (L + 63) // 64, 1),
    (M * N, N * M, 0),
    (L % 8 + L // 8 * 8, L + 7, 0),
    (M + N, M * N + 1, 1),
    (Size.of(4), M * N * 4, 1),
    ((L + 1) // 2, L, 1),
    (L // 3 * 2, L, 0),
    ((L + 7) // 8, L // 8 + 1, 0),
]
UNPROVEN = [
    (L, L * D, 0),
    ((L + 63) // 64 * 64, L + 62, 0),
    (L, L - 1, 0),
    (M, N, 0),
    (Size.of(1), (L + 63) // 64, 0),
    (L, L // 2 * 2, 0),
    (M * 2, M * M, 1),
]


def instances(a: Size, b: Size, least: int) -> Iterator[dict[str, int]]:
    names = sorted({*a.names(), *b.names()})
    for values in itertools.product(range(least, 70), repeat=len(names)):
        yield dict(zip(names, values, strict=True))


@pytest.mark.parametrize(("a", "b", "least"), PROVEN)
def test_proven_comparisons_hold(a: Size, b: Size, least: int) -> None:
    assert always_le(a, b, least)
    assert all(a.evaluate(sizes) <= b.evaluate(sizes) for sizes in instances(a, b, least))


@pytest.mark.parametrize(("a", "b", "least"), UNPROVEN)
def test_false_comparisons_are_not_proven(a: Size, b: Size, least: int) -> None:
    assert not always_le(a, b, least)
    assert any(a.evaluate(sizes) > b.evaluate(sizes) for sizes in instances(a, b, least))


def test_strictly_less() -> None:
    assert always_lt(L % 7, Size.of(7))
    assert not always_lt(L % 7, Size.of(6))


def test_big_polynomials_are_not_attempted() -> None:
    total = Size()
    for i in range(300):
        total = total + Size.of(f"a{i}") * (i + 1)
    assert not always_le(Size(), total)
    assert pretty(total) == str(total)


def test_libraries_load_only_on_use() -> None:
    code = "import sys, hastec.sym.formula, hastec.ir.view, hastec.ir.read, hastec.ir.verify\n"
    code += "print([m for m in ('sympy', 'networkx', 'numpy', 'torch') if m in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
