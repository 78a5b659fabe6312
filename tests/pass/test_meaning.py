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
"""Updates in place become no regions: such programs are interpreted."""


def same(wanted: dict[str, Table], given: dict[str, Table], message: str) -> None:
    """Check that two graphs gave the same, in exact arithmetic where quotients differ by bits."""
    assert given.keys() == wanted.keys(), message
    for name, table in wanted.items():
        found, want = (np.asarray(t.values, np.float64) for t in (given[name], table))
        np.testing.assert_allclose(found, want, 1e-9, 1e-9, err_msg=f"{message}: {name}")
        np.testing.assert_array_equal(given[name].present, table.present, message)


@pytest.mark.parametrize("start", range(0, 120, 20))
def test_every_pass_keeps_the_meaning(start: int) -> None:
    changed: set[str] = set()
    for seed in range(start, start + 20):
        for updates in (True, False):
            features = FEATURES if updates else FEATURES - {"update"}
            graph, tables, sizes = random_program(seed, seed % 3 != 0, features)
            wanted = run_graph(graph, tables, sizes, exact=True)
            for name in STEPS:
                if (name in REGIONS) != updates:
                    after = STEPS[name](graph)
                    verify_graph(after)
                    assert read_graph(show_graph(after)) == after
                    message = f"{name}, seed {seed}"
                    same(wanted, run_graph(after, tables, sizes, exact=True), message)
                    changed.update([name] if after != replace(graph, passed=after.passed) else [])
    assert changed == set(STEPS), "no program shows what a pass does"


@pytest.mark.parametrize("name", ["normalise", "fuse"])
def test_a_pass_has_nothing_to_do_twice(name: str) -> None:
    for seed in range(60):
        graph, _, _ = random_program(seed, True, FEATURES - {"update"})
        once = STEPS[name](graph)
        again = STEPS[name](replace(once, passed=(), regions=()))
        assert again.nodes == once.nodes, f"seed {seed}"


@pytest.mark.parametrize("target", [CPU, SM90], ids=["cpu", "gpu"])
def test_the_whole_line_keeps_the_meaning(target: Target) -> None:
    """Formats, schedules and placements are decided; values stay what they are."""
    ran = 0
    for seed in range(120 if target == CPU else 60):
        graph, tables, sizes = random_program(seed, True, LOWERED)
        if any(missing(graph, default_registry())):
            continue
        line = pass_line(target, default_registry(), sizes, {}, {})
        after = run_passes(drop_dead(graph), line)  # programs come without what nothing reads
        for form in (Form.NORMAL, Form.FUSED, Form.FORMATS, Form.SCHEDULED, Form.PLACED):
            check(form, after)
        assert stage_text(read_graph(stage_text(after), read_schedule)) == stage_text(after)
        wanted = run_graph(graph, tables, sizes, exact=True)
        same(wanted, run_graph(after, tables, sizes, exact=True), f"seed {seed}")
        ran += 1
    assert ran >= (40 if target == CPU else 20)
