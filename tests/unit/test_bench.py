"""Benchmarks: cases are the same every time, rows come back from their file, wrong results stop."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from bench import cpu, cpu_cases, cpu_space
from bench.cases import DATA, Case, cases
from bench.linear import Wrong, compared, measure, off, tables
from bench.report import markdown, placed
from bench.rows import Machine, Row, machine, read, write
from bench.run import arguments, matches
from hastec.backends.cpu.backend import Cpu
from hastec.options import Options

SMALL = Case("small", 4, "float32", 40, 24, 0.3)
HERE = Machine("a processor", "a system", "2026-01-01", (("torch", "2"), ("scipy", "none")))
ROW = Row(
    *("linear", "small", 40, 24, 0.3, 4, "float32", HERE),
    *(2.0, 3.0, "bytes", "csr(i, j) = dense(i), compressed(j)", "threads 1", False, 1e-7),
    *(500, 1000, (("torch dense", 5.0), ("scipy CSR", 4.0))),
)


def test_a_row_comes_back_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "results" / "here.jsonl"
    later = replace(ROW, us=1.0)
    write(path, [ROW, replace(ROW, batch=16)])
    write(path, [later])
    assert read([path]) == [later, replace(ROW, batch=16)]
    assert json.loads(path.read_text().splitlines()[0])["machine"]["device"] == "a processor"


def test_the_table_says_what_was_measured() -> None:
    lines = markdown([ROW, replace(ROW, batch=16, others=(("torch dense", 1.0),))]).splitlines()
    assert lines[0] == "a processor, 2026-01-01: torch 2."
    assert lines[2].startswith("| weight | density | columns | ours, us | torch dense, us | scipy")
    assert lines[4] == ("| small | 0.3 | 4 | 2.0 | 5.0 | 4.0 | 2.00x | 3.0 | 50% | csr(i, j) |")
    assert "| 1.0 |  | 0.50x |" in lines[5]


def test_the_table_goes_between_its_marks() -> None:
    page = "above\n<!-- linear -->\nold\n<!-- /linear -->\nbelow"
    assert placed(page, "new") == "above\n<!-- linear -->\nnew\n<!-- /linear -->\nbelow"
    with pytest.raises(ValueError, match="no place"):
        placed("above", "new")


def test_a_case_has_the_same_tables_every_time() -> None:
    one, two = tables(SMALL, "cpu"), tables(SMALL, "cpu")
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert 0.2 < float((one[0] != 0).float().mean()) < 0.4


def test_files_hold_the_patterns_of_cases() -> None:
    found = [c for c in cases("cpu", quick=False) if c.batch == 1]
    assert len(found) == len(list(DATA.glob("*.smtx*"))) > 1
    weight = found[0].weight("cpu")
    assert weight.ndim == 2 and 0 < float((weight != 0).float().mean()) < 1
    quick = list(cases("cuda", quick=True))
    assert len(quick) == 2 and all(matches(c, "70 % zeros") for c in quick)


def test_a_case_is_checked_and_measured() -> None:
    options = Options.from_environment({}, skip_cache=1)
    row = measure(SMALL, "cpu", machine("cpu"), tune=False, options=options)
    assert row.us > 0 and row.predicted_us > 0 and row.error < 1e-5
    assert {"torch dense", "torch CSR"} <= {name for name, _ in row.others}
    assert row.best_other == min(us for _, us in row.others)


def test_wrong_results_are_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.linear.off", lambda *tensors: 0.5)
    with pytest.raises(Wrong, match="small, 4 columns"):
        options = Options.from_environment({}, skip_cache=1)
        measure(SMALL, "cpu", machine("cpu"), tune=False, options=options)


def test_an_error_is_told() -> None:
    weight, x, bias = tables(SMALL, "cpu")
    right = torch.nn.functional.silu(weight @ x + bias[:, None])
    assert off(right, weight, x, bias) < 1e-6
    right[0, 0] += 1
    assert off(right, weight, x, bias) > 1e-3


def test_what_is_compared_computes_the_product() -> None:
    weight, x, _ = tables(replace(SMALL, batch=1), "cpu")
    found = dict(compared("cpu", weight, x))
    assert {"torch dense", "torch dense vector", "torch CSR"} <= set(found)
    assert all(0 < seconds < 1 for seconds in found.values())


def test_arguments() -> None:
    given = arguments().parse_args(["--quick", "--tune", "--cases", "1 col", "--budget", "3"])
    assert (given.quick, given.tune, given.cases, given.budget) == (True, True, "1 col", 3.0)


def test_programs_are_compared_with_libraries(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out = tmp_path / "rows.jsonl"
    asked = ["40x24x0.3", "--columns", "1", "--rounds", "1", "--out", str(out)]
    assert cpu.main(asked) == 0
    shown = capsys.readouterr().out
    assert "40x24x0.3, 1 columns: " in shown and "| 40x24x0.3 |" in shown
    (row,) = read([out])
    others = {name for name, _ in row.others}
    assert {"scipy CSR", "torch CSR", "torch dense", "torch CSR vector"} <= others
    assert row.batch == 1 and row.us > 0 and 0 <= row.error < 1e-5


@pytest.mark.parametrize("kind", ["f32", "f16", "bf16"])
@pytest.mark.parametrize("name", sorted(set(cpu_cases.CASES) - {"linear", "matmul"}))
def test_dense_programs_give_what_torch_gives(name: str, kind: str) -> None:
    case = cpu_cases.CASES[name]("9", "20", kind=kind)
    row = cpu.measure(name, case, kind, HERE, rounds=1)
    assert row.format == "dense" and row.error <= case.allowed
    assert [n for n, _ in row.others] == ["torch dense"]


def test_programs_that_give_something_else_are_not_timed() -> None:
    case = cpu_cases.matmul("8", "8", "8")
    with pytest.raises(cpu.Wrong, match="matmul: the relative error"):
        cpu.measure("matmul", replace(case, wanted=case.wanted + 1), "f32", HERE, rounds=1)
    with pytest.raises(cpu.Wrong, match="matmul, torch dense: the relative error"):
        cpu.measure("matmul", replace(case, exact=case.wanted + 1), "f32", HERE, rounds=1)
    with pytest.raises(ValueError, match="f32 only"):
        cpu_cases.linear("8x8x0.5", "1", "f16")


def test_patterns_in_files_have_the_same_values_every_time(tmp_path: Path) -> None:
    path = tmp_path / "small.smtx"
    path.write_text("2, 3, 3\n0 2 3\n0 2 1\n", encoding="utf-8")
    one, two = cpu_cases.read_smtx(path), cpu_cases.read_smtx(path)
    assert torch.equal(one.to_dense(), two.to_dense())
    assert (one.to_dense() != 0).tolist() == [[True, False, True], [False, True, False]]


def test_the_space_of_a_program_is_measured() -> None:
    rows = list(cpu_space.measure(cpu_cases.matmul("16", "16", "16"), 3, Cpu(), True, 1))
    assert len(rows) == 3 and all(r.seconds > 0 and r.json()["predicted"] for r in rows)
