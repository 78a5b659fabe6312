"""Every program of the language page means what plain NumPy says it means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hastec.diag import Source
from hastec.front.build import build
from hastec.grammar.parser import parse
from hastec.ir.graph import Access, Define, Graph, Node, NodeId
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.interp import Table, run_graph
from hastec.ir.interp.number import Floats, convert, floats
from hastec.ir.read import read_graph
from hastec.ir.rewrite import rewrite
from hastec.ir.show import show_graph
from hastec.ir.substitute import inline_access
from hastec.ir.types import DType
from hastec.ir.verify import verify_graph
from tests.agree.reference.cases import Case, all_cases
from tests.agree.reference.rules import RULES, Rule

EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = tuple(all_cases(0))


def graph_of(case: Case) -> Graph:
    text = (EXAMPLES / f"{case.file}.haste").read_text()
    for old, new in case.changes:
        assert old in text
        text = text.replace(old, new)
    graphs = build(parse(Source(f"{case.file}.haste", text)))
    return next(g for g in graphs if g.name == case.kernel)


def spacing(x: Floats, dtype: DType) -> Floats:
    """Distance between neighbouring numbers of a type around ``x``."""
    digits = {"f16": 11, "bf16": 8, "f32": 24}[dtype.name]
    return np.asarray(np.ldexp(1.0, np.frexp(x)[1] - digits), np.float64)


def check(case: Case, exact: bool) -> None:
    graph = graph_of(case)
    types = {p.name: p.dtype for p in graph.params}
    found = run_graph(graph, case.tables, case.sizes, exact=exact)
    assert set(found) == set(case.wanted)
    for name, wanted in case.wanted.items():
        _same(name, found[name], wanted, types[name], exact)
        stored = case.stored.get(name)
        if stored is not None:
            np.testing.assert_array_equal(found[name].present, stored)


def _same(name: str, found: Table, wanted: Floats, dtype: DType, exact: bool) -> None:
    rounded, given = floats(convert(wanted, dtype)), np.asarray(found.values, np.float64)
    if not dtype.is_float:
        np.testing.assert_array_equal(given, rounded, name)
        return
    # Once rounded, both may lie on two sides of a tie; f32 in between adds errors of its own.
    slack = spacing(rounded, dtype) + (0.0 if exact else 1e-5 * (1 + np.abs(rounded)))
    near = np.abs(given - rounded) <= slack
    assert (near | (given == rounded)).all(), f"{name}: {given} is not {rounded}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_graphs_are_valid_and_read_back(case: Case) -> None:
    graph = graph_of(case)
    verify_graph(graph)
    assert read_graph(show_graph(graph)) == graph


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_program_means_its_formula(case: Case) -> None:
    check(case, exact=True)
    check(case, exact=False)


@pytest.mark.parametrize("seed", [1, 2])
def test_other_inputs(seed: int) -> None:
    for case in all_cases(seed):
        check(case, exact=True)


def inlined(builder: GraphBuilder, node: Node) -> NodeId | None:
    """Compute what a statement holds wherever it is read."""
    read = node.op.table if isinstance(node.op, Access) else None
    if read is None or not isinstance(builder.nodes[read].op, Define):
        return None
    return inline_access(builder, node.id)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_statements_can_be_inlined(case: Case) -> None:
    graph = graph_of(case)
    single = rewrite(graph, inlined)
    verify_graph(single)
    wanted = run_graph(graph, case.tables, case.sizes, exact=True)
    found = run_graph(single, case.tables, case.sizes, exact=True)
    for name, table in wanted.items():
        np.testing.assert_array_equal(found[name].values, table.values, name)
        np.testing.assert_array_equal(found[name].present, table.present, name)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_sentence_of_the_language_page(rule: Rule) -> None:
    (graph,) = build(parse(Source("rule.haste", f"haste 1\n{rule.text}\n")))
    verify_graph(graph)
    assert read_graph(show_graph(graph)) == graph
    given = {name: Table(np.asarray(value)) for name, value in rule.given.items()}
    found = run_graph(graph, given, rule.sizes)
    assert set(found) == set(rule.wanted)
    for name, value in rule.wanted.items():
        result = np.asarray(found[name].values, np.float64)
        np.testing.assert_allclose(result, np.asarray(value, np.float64), 1e-6, err_msg=name)


def test_every_program_is_here() -> None:
    assert {case.file for case in CASES} == {path.stem for path in EXAMPLES.glob("*.haste")}
