"""Binding with tuning: measured once, remembered, pinned, and the same in every process."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from hastec.diag import HasteError
from hastec.driver import Program
from hastec.plan import Plan
from hastec.tune.lock import read_lock
from hastec.tune.records import Record, read
from tests.unit.tune_help import LINEAR, program, pruned

W, X, B = pruned(48, 32), torch.randn(32, 8), torch.randn(48)
SLOW_MACHINE = 6
"""How many times slower than promised a shared machine may be."""
BUDGET = "60"
TWICE = """
kernel twice(x: f32[M]) -> y: f32[M] {
    y[m] = x[m] + x[m]
}
"""


def bound(prog: Program, **more: object) -> Plan:
    return prog.bind(W=W, b=B, N=8, **more)  # type: ignore[arg-type]  # tune and progress


def right(plan: Plan) -> bool:
    wanted = torch.relu(W.double() @ X.double() + B.double()[:, None])
    return bool(torch.allclose(plan(X=X).double(), wanted, atol=1e-4))


def schedules(plan: Plan) -> list[str]:
    assert plan.artefact is not None
    return [str(r.schedule) for r in plan.artefact.graph.regions]


def records(cache: Path) -> list[Record]:
    (path,) = cache.glob("v*/tuning/*.jsonl")
    return list(read(path).records)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the program was tuned."""
    root = tmp_path_factory.mktemp("cache")
    plan = bound(program(LINEAR, root, tune_budget=BUDGET), tune=True)
    assert plan.decided is not None and plan.decided.measured > 3 and right(plan)
    return root


def test_the_plan_uses_what_was_measured(cache: Path) -> None:
    plan = bound(program(LINEAR, cache), tune=True)
    assert plan.decided is not None and plan.decided.measured == 0
    ((_, choice),) = plan.decided.choice
    assert schedules(plan) == [str(choice.schedule)]
    best = plan.decided.records[0]
    assert best.schedule == str(choice) and best.ms == min(
        r.ms for r in plan.decided.records if r.ms is not None
    )


def test_a_bind_that_does_not_tune_uses_records(cache: Path) -> None:
    before = len(records(cache))
    tuned = bound(program(LINEAR, cache), tune=True)
    plain = bound(program(LINEAR, cache))
    assert schedules(plain) == schedules(tuned) and right(plain)
    assert plain.decided is not None and plain.decided.measured == 0
    assert len(records(cache)) == before


def test_binding_again_takes_no_time(cache: Path) -> None:
    prog = program(LINEAR, cache)
    bound(prog, tune=True)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        bound(prog, tune=True)
        times.append(time.perf_counter() - start)
    assert min(times) < 0.05 * SLOW_MACHINE


def test_other_programs_and_sizes_are_left_to_the_model(cache: Path) -> None:
    other = program(LINEAR.replace("relu", "abs"), cache).bind(W=W, b=B, N=8)
    assert other.decided is not None and other.decided.choice == ()
    more = program(LINEAR, cache).bind(W=W, b=B, N=9)
    assert more.decided is not None and more.decided.choice == ()


def test_names_in_the_source_do_not_matter(cache: Path) -> None:
    moved = "# A comment moves every line.\n" + LINEAR.replace("    Y[m, n]", "        Y[m, n]")
    plan = bound(program(moved, cache))
    assert plan.decided is not None and len(plan.decided.choice) == 1


def test_a_table_of_the_same_kind_shares_what_was_tuned(cache: Path) -> None:
    prog = program(LINEAR, cache)
    alike = prog.bind(W=W.flip(0).contiguous(), b=B, N=8)
    denser = prog.bind(W=pruned(48, 32, density=0.9), b=B, N=8)
    assert alike.decided is not None and len(alike.decided.choice) == 1
    assert denser.decided is not None and denser.decided.choice == ()


def test_tuning_needs_every_size(cache: Path) -> None:
    with pytest.raises(HasteError) as caught:
        program(LINEAR, cache).bind(W=W, b=B, tune=True)
    assert [d.code for d in caught.value.diagnostics] == ["HST4005"]


def test_tuning_needs_the_processor_it_is_for(tmp_path: Path) -> None:
    prog = program(LINEAR, tmp_path, interpret=1)
    with pytest.raises(HasteError) as caught:
        bound(prog, tune=True)
    assert [d.code for d in caught.value.diagnostics] == ["HST6204"]
    # The variable alone does not stop what cannot be measured.
    silent = bound(program(LINEAR, tmp_path, interpret=1, tune=1))
    assert silent.decided is not None and silent.decided.choice == ()


def test_the_option_tunes_every_bind(tmp_path: Path) -> None:
    plan = program(TWICE, tmp_path, tune=1, tune_budget=BUDGET).bind(M=100)
    assert plan.decided is not None and plan.decided.measured > 1
    assert torch.equal(plan(x=torch.ones(100)), torch.full((100,), 2.0))
    off = program(TWICE, tmp_path / "other", tune=1).bind(M=100, tune=False)
    assert off.decided is not None and off.decided.measured == 0


def test_without_a_cache_nothing_is_kept() -> None:
    prog = program(TWICE, tune_budget=BUDGET)
    plan = prog.bind(M=100, tune=True)
    assert plan.decided is not None and plan.decided.measured > 1
    again = prog.bind(M=100)
    assert again.decided is not None and again.decided.choice == ()


def test_no_effort_measures_nothing(tmp_path: Path) -> None:
    plan = bound(program(LINEAR, tmp_path, tune_effort="none"), tune=True)
    assert plan.decided is not None and plan.decided.measured == 0 and right(plan)


# -------------------------------------------------------------------------------------- lock files
@pytest.fixture
def pinned(cache: Path, tmp_path: Path) -> Path:
    return bound(program(LINEAR, cache)).pin(tmp_path / "haste.lock")


def test_a_locked_plan_is_the_pinned_one(cache: Path, pinned: Path, tmp_path: Path) -> None:
    tuned = bound(program(LINEAR, cache))
    fresh = program(LINEAR, tmp_path / "cache", locked=1, lock_file=pinned)
    plan = bound(fresh, tune=True)
    assert schedules(plan) == schedules(tuned) and plan.formats == tuned.formats
    assert plan.decided is not None and plan.decided.measured == 0
    assert torch.equal(plan(X=X), tuned(X=X))
    assert not list((tmp_path / "cache").glob("v*/tuning/*.jsonl"))


def test_what_is_not_pinned_is_an_error(pinned: Path, tmp_path: Path) -> None:
    prog = program(LINEAR, tmp_path / "cache", locked=1, lock_file=tmp_path / "none.lock")
    with pytest.raises(HasteError) as caught:
        bound(prog)
    assert [d.code for d in caught.value.diagnostics] == ["HST6302"]
    prog = program(LINEAR, tmp_path / "cache", locked=1, lock_file=pinned)
    with pytest.raises(HasteError) as caught:
        prog.bind(W=W, b=B, N=9)
    assert [d.code for d in caught.value.diagnostics] == ["HST6303"]


def test_a_plan_that_was_never_tuned_can_be_pinned(tmp_path: Path) -> None:
    path = tmp_path / "haste.lock"
    plain = bound(program(LINEAR, tmp_path / "one"))
    assert plain.pin(path) == path
    locked = bound(program(LINEAR, tmp_path / "two", locked=1, lock_file=path))
    assert schedules(locked) == schedules(plain)
    (choice,) = read_lock(path).choices
    assert (choice.kernel, choice.region) == ("linear", "linear_Y")


def test_pinning_keeps_what_else_is_pinned(cache: Path, pinned: Path) -> None:
    program(LINEAR, cache).bind(W=W, b=B, N=3).pin(pinned)
    assert len(read_lock(pinned).choices) == 2
    bound(program(LINEAR, cache)).pin(pinned)
    assert len(read_lock(pinned).choices) == 2


@pytest.mark.parametrize(
    ("what", "by"),
    [
        ("digit m_prog: grid; ", ""),
        ("axis m = ", "axis m = 64*m_prog + "),
        ("threads 1;", "threads 64;"),
        ("m_prog", "m_other"),
        ("threads 1;", "threads 1; dots 2;"),
    ],
)
def test_a_pinned_schedule_that_is_none_is_an_error(
    pinned: Path, tmp_path: Path, what: str, by: str
) -> None:
    text = pinned.read_text()
    assert what in text
    pinned.write_text(text.replace(what, by))
    with pytest.raises(HasteError) as caught:
        bound(program(LINEAR, tmp_path / "cache", locked=1, lock_file=pinned))
    assert [d.code for d in caught.value.diagnostics] == ["HST5002"]


# --------------------------------------------------------------------------------------- processes
RUN = """
import json, sys
from pathlib import Path
from tests.unit.test_tune_bind import BUDGET, TWICE
from tests.unit.tune_help import program
plan = program(TWICE, Path(sys.argv[1]), tune_budget=BUDGET).bind(M=100, tune=True)
print(json.dumps([plan.decided.measured, str(plan.decided.choice[0][1])]))
"""


def test_two_processes_tune_once_and_agree(tmp_path: Path) -> None:
    started = [
        subprocess.Popen([sys.executable, "-c", RUN, str(tmp_path)], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    told = [json.loads(p.communicate(timeout=200)[0]) for p in started]
    (first, one), (second, other) = sorted(told)
    assert first == 0 and second > 1 and one == other


def test_one_file_holds_the_records_of_a_program(cache: Path) -> None:
    found = records(cache)
    assert {r.program for r in found} == {found[0].program}
    assert len({r.key for r in found}) == 1


@pytest.fixture(autouse=True)
def _no_lock_file_is_left() -> Iterator[None]:
    yield
    assert not Path("haste.lock").exists()


def test_a_plan_does_not_hold_the_tables_it_packed(cache: Path) -> None:
    weight = W.clone()
    known = weakref.ref(weight)
    plan = program(LINEAR, cache).bind(W=weight, b=B, N=8)
    del weight
    gc.collect()
    assert known() is None and right(plan)
