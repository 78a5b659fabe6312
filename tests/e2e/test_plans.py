"""``explain``, ``inspect`` and ``compile``, and the same from Python."""

from __future__ import annotations

import ast
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import torch

import hastec
from hastec.artefact import Artefact
from hastec.explain.report import Report
from hastec.explain.text import show
from hastec.ir.kernel_read import read_kernel
from hastec.ir.read import read_graph
from hastec.ir.schedule_text import read_schedule
from hastec.options import Options
from tests.e2e.shell import example
from tests.e2e.shell import hastec as command

STAGES = [
    *("00-build", "01-check", "02-normalise", "03-patterns", "04-formats"),
    *("05-fuse", "06-tile", "07-layout", "08-dead"),
]
BOUND = ("--bind", "W=random:96x80@0.1", "--size", "N=16")


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> hastec.Plan:
    """A bound example: a table with a tenth of its entries."""
    folder = str(tmp_path_factory.mktemp("cache"))
    options = Options.from_environment({"HASTE_CACHE_DIR": folder})
    prog = hastec.compile(example("linear"), backend_name="cpu", options=options)
    torch.manual_seed(0)
    w = torch.randn(96, 80) * (torch.rand(96, 80) < 0.1)
    return prog.bind(W=w.half(), b=torch.zeros(96).half(), N=16)


def data_of(plan: hastec.Plan | Report) -> Any:
    """Return an explanation as data, whose types tests know better."""
    return plan.data() if isinstance(plan, Report) else plan.explain(json=True)


def table(data: Any, name: str) -> Any:
    """Return what an explanation says of a table."""
    return next(t for t in data["tables"] if t["name"] == name)


def packed(plan: hastec.Plan) -> int:
    """Return the bytes of the arrays of the bound table ``W``."""
    run: Any = plan.run
    return sum(x.nbytes for n, x in run.arrays.items() if n.startswith("W."))


# --------------------------------------------------------------------------------------- explain
def test_an_explanation_fits_a_screen(plan: hastec.Plan) -> None:
    lines = plan.explain().splitlines()
    assert len(lines) <= 50 and max(map(len, lines)) <= 100
    assert lines[0] == "linear: 1 kernel for cpu; K = 80, M = 96, N = 16"


def test_it_says_what_was_chosen_and_why(plan: hastec.Plan) -> None:
    w = table(data_of(plan), "W")
    assert w["how"] == "chosen" and "predicted for its best schedule" in w["why"]
    assert w["format"] == plan.formats["W"].name
    assert w["dense_bytes"] == 96 * 80 * 2
    assert w["counted"] and w["bytes"] == packed(plan)
    rejected = {r["what"].split("(")[0]: r["why"] for r in w["rejected"]}
    assert {"dense", "nm", "bsr"} <= set(rejected)
    assert rejected["nm"] == "more than 2 of some 4 neighbours are entries"


def test_it_prices_the_kernel_and_the_dense_one(plan: hastec.Plan) -> None:
    (kernel,) = data_of(plan)["kernels"]
    assert kernel["name"] == "linear_Y" and kernel["lines"][0]["line"] == 5
    assert read_schedule(kernel["schedule"]["text"])
    told = kernel["predicted"]
    assert told["seconds"] >= max(told["parts"].values()) == told["parts"][told["bound"]]
    assert kernel["least_bytes"] == packed(plan) + 96 * 2 + 80 * 16 * 2 + 96 * 16 * 2
    dense = kernel["dense"]
    assert dense["bytes"] == (96 * 80 + 96 + 80 * 16 + 96 * 16) * 2
    assert dense["seconds"] > told["seconds"] and 0.1 < dense["faster_from_density"] <= 1


def test_the_bytes_that_must_move_are_a_formula_of_open_sizes(plan: hastec.Plan) -> None:
    (region,) = plan.report().regions
    assert region.law is not None and region.law.names() == ("N",)
    assert region.law.evaluate({"N": 16}) == region.least
    more = packed(plan) + 2 * (80 * 100 + 96 + 96 * 100)
    assert region.law.evaluate({"N": 100}) == more
    told = " ".join(plan.explain().split())
    assert re.search(r"that must \(each table once: [\d *(]+N \+ \d+\)? bytes\)", told)


def test_the_dense_kernel_wins_where_it_is_said_to() -> None:
    """A fuller table keeps its format up to the density that is named, and not beyond it; from
    the dense side the same density is seen.
    """
    prog = hastec.compile(example("linear"), backend_name="cpu")

    def chosen(density: float) -> tuple[str, Any]:
        torch.manual_seed(1)
        w = torch.randn(128, 128) * (torch.rand(128, 128) < density)
        data = data_of(prog.bind(W=w.half(), b=torch.zeros(128).half(), N=32))
        (kernel,) = data["kernels"]
        return table(data, "W")["format"], kernel

    name, kernel = chosen(0.05)
    wins = kernel["dense"]["faster_from_density"]
    assert name == "csr" and kernel["sparse"] is None and 0.05 < wins < 1
    assert chosen(max(0.06, 0.8 * wins))[0] != "dense"
    name, kernel = chosen(min(1.0, 1.25 * wins))
    assert name == "dense" and kernel["dense"] is None
    assert kernel["sparse"]["format"] == "csr"
    # Seen from far away: rows of a fuller table differ less in length than those seen, stretched.
    assert abs(kernel["sparse"]["faster_below_density"] / wins - 1) < 0.2


def test_what_is_not_known_is_assumed_and_said(plan: hastec.Plan) -> None:
    done = command("explain", example("linear"))
    assert done.code == 0 and "assumed: M, K and N = 4096" in done.out
    data = command("explain", example("linear"), "--json", *BOUND).data
    assert data["assumed"] == {} and data["sizes"] == {"M": 96, "K": 80, "N": 16}


def test_a_target_that_is_not_here_is_explained() -> None:
    done = command("explain", example("a_shape"), "--target", "sm_90", "--json")
    (kernel,) = done.data["kernels"]
    assert done.data["target"] == "sm_90"
    assert any("matrix products" in phrase for phrase in kernel["schedule"]["words"])
    assert kernel["rounded"] == [
        "a computed factor on line 7 is rounded to bf16 before its product"
    ]
    assert kernel["dense"] is None


def test_a_declared_format_and_a_given_one() -> None:
    tables = command("explain", example("relax"), "--json").data["tables"]
    assert [t["how"] for t in tables] == ["assumed", "dense", "dense"]
    tables = command("explain", example("sddmm"), "--json").data["tables"]
    assert {t["name"]: t["how"] for t in tables}["C"] == "like"


def test_an_interpreted_program_says_why() -> None:
    done = command("explain", example("moba"))
    assert done.code == 0 and done.err == ""
    assert done.out.startswith("moba: interpreted for cpu\n")
    assert "line 6: the selection topk has no lowering yet" in done.out


@pytest.mark.parametrize(
    "declared",
    ["@ csr values huffman", "values huffman", "@ leaves", "@ leaves values huffman"],
)
@pytest.mark.parametrize("sparse", ["", "sparse "])
def test_words_that_nothing_packs_yet_are_interpreted(declared: str, sparse: str) -> None:
    """``paged`` and ``huffman`` say how a table lies in memory, and nothing about its values."""
    text = f"""haste 1
format leaves(i, j) = dense(i), paged(j; page = 16)
kernel product(W: static {sparse}f32[M, K] {declared}, x: f32[K]) -> y: f32[M] {{
    y[m] = sum[k] W[m, k] * x[k]
}}
"""
    w = torch.arange(12.0).reshape(3, 4) % 5
    made = hastec.compile(text, backend_name="cpu").bind(W=w)
    assert made.artefact is None and "no lowering yet" in made.notes[0].message
    assert made(x=torch.arange(4.0)).tolist() == (w @ torch.arange(4.0)).tolist()


@pytest.mark.parametrize("name", ["heads", "paged", "scatter", "bag", "sddmm", "linear"])
def test_every_explanation_fits_a_screen(name: str) -> None:
    for target in ("cpu", "sm_90"):
        lines = command("explain", example(name), "--target", target).out.splitlines()
        assert 5 < len(lines) <= 50 and max(map(len, lines)) <= 100


def test_what_tuning_measured_is_shown(plan: hastec.Plan) -> None:
    report = plan.report()
    timed = replace(report, regions=(replace(report.regions[0], measured=2e-3),))
    assert "2 ms measured; " in show(timed)
    assert data_of(timed)["kernels"][0]["measured_seconds"] == 2e-3


def test_codes_are_explained() -> None:
    done = command("explain", "hst1001")
    assert done.code == 0 and done.out.startswith("HST1001: unknown name\n\n")
    assert command("explain", "HST6103", "--json").data["title"] == "cache not trusted"


# ------------------------------------------------------------------------------------------ dump
def test_a_dump_holds_every_form(plan: hastec.Plan, tmp_path: Path) -> None:
    where = plan.dump(tmp_path / "dump")
    names = sorted(p.name for p in where.iterdir())
    assert [n for n in names if n[:2].isdigit()] == [f"{s}.txt" for s in STAGES]
    wanted = {"linear_Y.kernel.txt", "linear_Y.ll", "machine.json", "graph.json", "explain.txt"}
    assert wanted <= set(names)
    assert isinstance(plan.artefact, Artefact)
    assert read_kernel((where / "linear_Y.kernel.txt").read_text()) == plan.artefact.codes[0].kernel
    assert (where / "linear_Y.ll").read_text() == plan.source["linear_Y"]
    assert (where / "explain.txt").read_text() == plan.explain()
    assert all(p.stat().st_mode & 0o777 == 0o600 for p in where.iterdir())
    machine = json.loads((where / "machine.json").read_text())
    assert machine["target"]["name"] == "cpu" and machine["kernels"]["linear_Y"]


def test_a_dump_is_the_same_each_time(plan: hastec.Plan, tmp_path: Path) -> None:
    first, second = plan.dump(tmp_path / "a"), plan.dump(tmp_path / "b")
    for path in first.iterdir():
        assert path.read_bytes() == (second / path.name).read_bytes()


def test_networkx_loads_the_graph(plan: hastec.Plan, tmp_path: Path) -> None:
    data = json.loads((plan.dump(tmp_path) / "graph.json").read_text())
    graph = nx.node_link_graph(data, edges="edges")
    assert graph.number_of_nodes() == len(plan.run.graph.nodes)
    assert nx.is_directed_acyclic_graph(graph)
    assert {d["output"] for _, d in graph.nodes(data=True)} == {"", "Y"}


def test_a_dump_of_an_interpreted_program(tmp_path: Path) -> None:
    plan = hastec.compile(example("moba"), backend_name="cpu").bind()
    names = {p.name for p in plan.dump(tmp_path).iterdir()}
    assert names >= {"00-build.txt", "graph.json", "machine.json", "explain.txt"}
    assert plan.source == {} and plan.formats == {}


def test_a_dump_that_cannot_be_written(plan: hastec.Plan, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(hastec.HasteError, match="HST6405"):
        plan.dump(tmp_path / "file")


# --------------------------------------------------------------------------------------- inspect
def test_stages_are_listed() -> None:
    assert command("inspect", example("linear"), "--list").out.split() == STAGES


@pytest.mark.parametrize("stage", ["06-tile", "tile", "6", "06"])
def test_a_stage_by_any_name(stage: str) -> None:
    done = command("inspect", example("linear"), "--stage", stage)
    assert done.code == 0 and done.out.startswith("graph linear(M, K, N) {")
    assert "passed tile" in done.out and "passed layout" not in done.out


def test_a_stage_that_is_none() -> None:
    done = command("inspect", example("linear"), "--stage", "tiel")
    assert done.code == 1 and "error[HST6406]" in done.err and "did you mean `tile`?" in done.err


def test_the_first_stage_reads_back() -> None:
    text = command("inspect", example("linear"), "--stage", "00-build").out
    assert [p.name for p in read_graph(text).params] == ["W", "X", "b", "Y"]


def test_kernels_and_source() -> None:
    text = command("inspect", example("relax"), "--ir", "kernel", "--target", "sm_90").out
    assert read_kernel(text).name == "relax_y"
    source = command("inspect", example("relax"), "--ir", "source", "--target", "sm_90").out
    assert "import triton" in source and "def relax_y(" in source
    assert "define" in command("inspect", example("relax"), "--ir", "source").out


def test_inspect_writes_a_dump(tmp_path: Path) -> None:
    done = command("inspect", example("relax"), "--dump", tmp_path / "d", "--json")
    assert done.data["folder"] == str(tmp_path / "d") and (tmp_path / "d/graph.json").exists()


def test_an_interpreted_program_has_one_stage() -> None:
    done = command("inspect", example("moba"), "--list")
    assert done.code == 0 and done.out.split() == ["00-build"]
    assert "warning[HST5001]" in done.err
    assert command("inspect", example("moba"), "--ir", "source").code == 1


# --------------------------------------------------------------------------------------- compile
def test_compile_writes_the_source(tmp_path: Path) -> None:
    done = command("compile", example("linear"), "--target", "sm_90", "--size", "N=16")
    assert done.code == 0 and "linear for sm_90: 1 kernel\n  linear.sm_90/linear_Y.py" in done.out
    source = (tmp_path / "linear.sm_90" / "linear_Y.py").read_text()
    ast.parse(source)
    assert "def linear_Y(" in source


def test_compile_for_this_machine_to_machine_code(tmp_path: Path) -> None:
    done = command("compile", example("relax"), "--target", "cpu", "--build", "-o", "out", "--json")
    assert done.data["kernels"] == [{"name": "relax_y", "source": "relax_y.ll"}]
    assert "relax_y.o" in done.data["files"]
    assert (tmp_path / "out" / "relax_y.o").read_bytes()[:4] == b"\x7fELF"


def test_what_cannot_be_compiled_is_an_error() -> None:
    done = command("compile", example("hata"))
    assert done.code == 1 and "error[HST5001]" in done.err
    assert command("compile", example("linear"), "--target", "sm_91").code == 1
    assert command("compile", example("linear"), "--kernel", "other").code == 1
    assert command("compile", example("linear"), "--size", "Q=3").code == 1
