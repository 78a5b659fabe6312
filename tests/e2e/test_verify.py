"""``verify``: right compilers pass, and a wrong one is found at its first wrong stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from hastec.audit import check
from hastec.audit.cases import cases, sizes_for
from hastec.binding import Known, Setup, passes_for
from hastec.diag import InternalError, Source
from hastec.front import build
from hastec.ir.forms import Form
from hastec.ir.graph import Const, Graph
from hastec.passes import Pass
from hastec.run.simulated import Interpreter
from tests.e2e.shell import example, hastec


@pytest.mark.parametrize("target", ["", "sm_90"])
def test_an_example_keeps_its_meaning(target: str) -> None:
    done = hastec("verify", example("relax"), *(["--target", target] if target else []))
    assert done.code == 0 and done.err == ""
    lines = done.out.splitlines()
    assert lines[0].startswith(f"relax for {target or 'cpu'}: 7 cases")
    assert [line.split()[0] for line in lines[1:9]][:2] == ["01-check", "02-normalise"]
    assert all("means the same in 7 cases" in line for line in lines[1:])
    assert ("machine code" in done.out) == (not target)


def test_sizes_can_be_told() -> None:
    done = hastec("verify", example("relax"), "--size", "N=3", "--json")
    assert {case["sizes"]["N"] for case in done.data["cases"]} == {3}
    assert {case["name"] for case in done.data["cases"]} >= {"full", "all zero", "nearly empty"}


def test_what_is_interpreted_has_nothing_to_verify() -> None:
    done = hastec("verify", example("moba"))
    assert done.code == 0 and "no stage and no kernel to verify" in done.out
    assert "warning[HST5001]" in done.err


@dataclass(frozen=True)
class Slip:
    """A pass that is wrong: every 2.0 becomes 3.0."""

    name: ClassVar[str] = "slip"
    needs: ClassVar[frozenset[Form]] = frozenset()
    gives: ClassVar[frozenset[Form]] = frozenset()

    def run(self, graph: Graph) -> Graph:
        nodes = tuple(replace(n, op=Const(3.0)) if n.op == Const(2.0) else n for n in graph.nodes)
        return replace(graph, nodes=nodes)


@dataclass(frozen=True)
class Fall(Slip):
    """A pass that breaks down."""

    name: ClassVar[str] = "fall"

    def run(self, graph: Graph) -> Graph:
        raise InternalError("a promise is broken")


TEXT = "haste 1\nkernel k(x: f32[N]) -> y: f32[N] { y[i] = x[i] * 2.0 + 1.0 }\n"


def plant(monkeypatch: pytest.MonkeyPatch, bad: Pass) -> None:
    """Put a wrong pass behind the third."""

    def planted(setup: Setup, known: Known) -> Sequence[Pass]:
        passes = passes_for(setup, known)
        return (*passes[:3], bad, *passes[3:])

    monkeypatch.setattr(check, "passes_for", planted)


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("program") / "k.haste"
    path.write_text(TEXT)
    return str(path)


def test_a_wrong_pass_is_named(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Slip())
    done = hastec("verify", program)
    assert done.code == 1
    assert "03-patterns    means the same" in done.out
    assert "04-slip        WRONG in" in done.out and "05-formats" in done.out
    assert "error[HST6501]: kernel k goes wrong at 04-slip: y[" in done.err
    assert "(case: small integers, N = 7)" in done.err


def test_a_case_stops_at_its_first_fault(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Slip())
    found = hastec("verify", program, "--json").data
    by_name = {case["name"]: case for case in found["cases"] if case["sizes"]["N"] == 7}
    assert by_name["small integers"]["fault"]["stage"] == "04-slip"
    assert by_name["all zero"]["fault"] is None  # 0 * 3 is 0 * 2


def test_a_pass_that_breaks_down_is_named(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch, Fall())
    done = hastec("verify", program)
    assert done.code == 1 and "goes wrong at 04-fall: a promise is broken" in done.err


def test_a_wrong_kernel_is_named(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Interpreter.__call__

    def dishonest(self: Interpreter, arrays: object, sizes: object, grid: object) -> None:
        honest(self, arrays, sizes, grid)  # type: ignore[arg-type]  # passed on as they came
        names = [t.name for t in self.kernel.tables]
        arrays[names.index("y.val")][-1] += 1  # type: ignore[index]  # a list of tensors

    monkeypatch.setattr(Interpreter, "__call__", dishonest)
    done = hastec("verify", program)
    assert done.code == 1 and "goes wrong at kernels: y[6] is" in done.err


def test_cases_are_small_and_hard() -> None:
    graph = build.check(Source("k", TEXT))[-1]
    assert [s["N"] for s in sizes_for(graph, {})] == [7, 35, 1]
    found = list(cases(graph, {}))
    assert len({str(case) for case in found}) == len(found) == 7
    whole = [c for c in found if c.whole]
    assert len(whole) == 6 and all((c.tables["x"] == c.tables["x"].round()).all() for c in whole)
    again = list(cases(graph, {}))
    pairs = zip(found, again, strict=True)
    assert all(a.tables["x"].equal(b.tables["x"]) for a, b in pairs)


def test_index_tables_of_cases_stay_inside() -> None:
    source = Source("bag", example("bag").read_text())
    graph = build.check(source)[-1]
    for case in cases(graph, {}):
        ids, off = case.tables["id"], case.tables["off"]
        assert ids.min() >= 0 and ids.max() < case.sizes["V"]
        assert (off.diff() >= 0).all() and off.min() >= 0 and off.max() <= case.sizes["N"]
