"""Every pass keeps the meaning of random programs, and gives the forms it promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hastec.artefact import stage_text
from hastec.ir.forms import Form, check
from hastec.ir.graph import Graph
from hastec.ir.interp import Table, run_graph
from hastec.ir.read import read_graph
from hastec.ir.rewrite import drop_dead
from hastec.ir.schedule_text import read_schedule
from hastec.ir.show import show_graph
from hastec.ir.verify import verify_graph
from hastec.levels.missing import missing
from hastec.levels.registry import default_registry
from hastec.passes import Pass, pass_line
from hastec.passes.algebra import spell_out
from hastec.passes.fuse import Fuse
from hastec.passes.guards import settle
from hastec.passes.laws import state_laws
from hastec.passes.normalise import Normalise
from hastec.passes.patterns import Patterns
from hastec.passes.unify import unify
from hastec.pipeline import run_passes
from hastec.target import CPU, SM90, Target
from tests.prop.gen_graph import FEATURES, random_program

LOWERED = FEATURES - {"select", "update", "monoid"}
Step = Callable[[Graph], Graph]


def passes(*steps: Pass) -> Step:
    """Return what runs passes one after the other, verified."""
    return lambda graph: run_passes(graph, steps)


STEPS: dict[str, Step] = {
    "unify": unify,
    "spell_out": spell_out,
    "settle": settle,
    "spell_out and settle": lambda graph: settle(spell_out(settle(graph))),
    "state_laws": lambda graph: state_laws(spell_out(unify(graph))),
    "normalise": passes(Normalise()),
    "patterns": passes(Normalise(), Patterns()),
    "fuse": passes(Normalise(), Fuse()),
    "all in front of schedules": passes(Normalise(), Patterns(), Fuse()),
}

REGIONS = ("fuse", "all in front of schedules")


def _features(name: str) -> frozenset[str]:
    """Updates in place become no regions: such programs are interpreted."""
    return FEATURES if name not in REGIONS else FEATURES - {"update"}


def same(
    before: Graph, after: Graph, tables: dict[str, Table], sizes: dict[str, int], message: str
) -> None:
    """Check that two graphs give the same, in exact arithmetic where quotients differ by bits."""
    wanted = run_graph(before, tables, sizes, exact=True)
    given = run_graph(after, tables, sizes, exact=True)
    assert given.keys() == wanted.keys(), message
    for name, table in wanted.items():
        found, want = (np.asarray(t.values, np.float64) for t in (given[name], table))
        np.testing.assert_allclose(found, want, 1e-9, 1e-9, err_msg=f"{message}: {name}")
        np.testing.assert_array_equal(given[name].present, table.present, message)


@pytest.mark.parametrize("name", STEPS)
def test_a_pass_keeps_the_meaning(name: str) -> None:
    changed, features = 0, _features(name)
    for seed in range(120):
        graph, tables, sizes = random_program(seed, seed % 3 != 0, features)
        after = STEPS[name](graph)
        verify_graph(after)
        assert read_graph(show_graph(after)) == after
        same(graph, after, tables, sizes, f"seed {seed}")
        changed += after.nodes != graph.nodes or after.laws != graph.laws
    assert changed, "no program shows what this pass does"


@pytest.mark.parametrize("name", ["normalise", "fuse"])
def test_a_pass_has_nothing_to_do_twice(name: str) -> None:
    for seed in range(60):
        graph, _, _ = random_program(seed, True, _features(name))
        once = STEPS[name](graph)
        again = STEPS[name](replace(once, passed=(), regions=()))
        assert again.nodes == once.nodes, f"seed {seed}"


@pytest.mark.parametrize("target", [CPU, SM90], ids=["cpu", "gpu"])
def test_the_whole_line_keeps_the_meaning(target: Target) -> None:
    """Formats, schedules and placements are decided; values stay what they are."""
    ran = 0
    for seed in range(150 if target == CPU else 60):
        graph, tables, sizes = random_program(seed, True, LOWERED)
        if any(missing(graph, default_registry())):
            continue
        line = pass_line(target, default_registry(), sizes, {}, {})
        after = run_passes(drop_dead(graph), line)  # programs come without what nothing reads
        for form in (Form.NORMAL, Form.FUSED, Form.FORMATS, Form.SCHEDULED, Form.PLACED):
            check(form, after)
        assert stage_text(read_graph(stage_text(after), read_schedule)) == stage_text(after)
        same(graph, after, tables, sizes, f"seed {seed}")
        ran += 1
    assert ran >= (60 if target == CPU else 25)
