"""Explanations as text: words for schedules, amounts, and the limits of a screen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hastec.diag import Diagnostic, Source, Span
from hastec.explain.report import (
    Cost,
    Dense,
    RegionReport,
    Rejected,
    Report,
    Sparse,
    TableReport,
)
from hastec.explain.text import COLUMNS, LINES, show
from hastec.explain.words import in_words, share, shortened, wrapped
from hastec.front.build import check
from hastec.ir.graph import Reduce
from hastec.ir.schedule_text import read_schedule
from hastec.text import amount, duration

TEXT = """haste 1
kernel k(W: static sparse f32[M, K], x: f32[K]) -> y: f32[M] {
    y[m] = sum[k] W[m, k] * x[k]
}
"""


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (27.4 * 2**20, "27.4 MiB"), (2**42, "4 TiB")],
)
def test_amounts(count: float, text: str) -> None:
    assert amount(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.4e-6, "8.4 us"), (999e-6, "999 us"), (1.24e-3, "1.24 ms"), (3.1, "3.1 s"), (0, "0 us")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_shares() -> None:
    assert [share(x) for x in (0.0998, 1.0, 0.001)] == ["9.98 %", "100 %", "0.1 %"]


def test_texts_are_cut_between_words() -> None:
    assert shortened("one two  three", 40) == "one two three"
    assert shortened("one two three", 9) == "one two …"
    assert shortened("onetwothree", 6) == "onet …"
    assert wrapped("one two three four", 9, 3) == ["one two", "three", "four"]
    assert wrapped("one two three four", 9, 2) == ["one two", "three …"]
    for width in range(6, 30):
        for most in (1, 2, 3):
            lines = wrapped("a long text of several words that goes on", width, most)
            assert len(lines) <= most and max(map(len, lines)) <= width


def words(schedule: str) -> tuple[str, ...]:
    graph = check(Source("k", TEXT))[-1]
    access = next(n.id for n in graph.nodes if n.dtype.name == "f32" and n.ranks == ("m", "k"))
    total = next(n.id for n in graph.nodes if isinstance(n.op, Reduce))
    text = schedule.replace("LEAD", str(access)).replace("TOTAL", str(total))
    return in_words(read_schedule(text), graph)


def test_a_schedule_in_words() -> None:
    found = words(
        "threads 64; stages 3; digit m_prog: grid; digit m_lane: thread 2 stride 32; "
        "digit W_1_step: loop; digit W_1_lane: thread 32 stride 1; digit W_1_reg: reg 4; "
        "axis m = 2*m_prog + m_lane; axis W.1 = 128*W_1_step + 32*W_1_reg + W_1_lane; "
        "lead LEAD over k"
    )
    assert found == (
        "m: 2 over threads, over programs",
        "positions of W (level 1): 32 over threads, 4 in registers, looped",
        "only entries of W are visited for k",
        "64 threads a program",
        "up to 3 iterations of loads in flight",
    )


def test_rows_that_take_turns_in_words() -> None:
    found = words(
        "threads 1; digit m_prog: grid; digit W_1_step: loop; digit m_reg: reg 8; "
        "axis m = 8*m_prog + m_reg; axis W.1 = W_1_step; turn m_reg; lead LEAD over k"
    )
    assert found[0] == "m: 8 in registers, over programs"
    assert found[-1] == "sums of one m after the other"


def test_a_schedule_of_tiles_in_words() -> None:
    found = words(
        "threads 256; digit m_prog: grid; digit m_tile: block 64; digit k_step: loop; "
        "digit k_tile: block 32; axis m = 64*m_prog + m_tile; "
        "axis k = 32*k_step + k_tile exact; dots TOTAL; multiple K of 32; one M"
    )
    assert found[:2] == ("m: 64 in a tile, over programs", "k: 32 in a tile, looped, no remainder")
    assert found[2:4] == ("matrix products for line 3", "256 threads a program")
    assert found[4:] == ("counts on M being 1", "counts on divisible sizes: K by 32")


# --------------------------------------------------------------------------------------- reports
MANY = tuple(Rejected(f"sell(i, j) = dense(i / {n})" * 5, "too large " * 9) for n in range(40))
TABLE = TableReport(
    "W",
    "in W: sparse f16[M, K]",
    "csr",
    "csr(i, j) = dense(i), compressed(j) index u16 " * 6,
    "chosen",
    "8.4 us predicted for its best schedule",
    1.5 * 2**20,
    True,
    15.0 * 2**20,
    100,
    0.1,
    MANY,
)
REGION = RegionReport(
    "a_rather_long_name_of_a_kernel",
    tuple((n, f"y[m] = sum[k] W[m, k] * x[k] + {n}" * 3) for n in range(9)),
    ("m: over programs",) * 30,
    "threads 1",
    Cost(8.4e-6, "slots", (("bytes", 1e-6), ("flops", 0.0), ("slots", 8e-6))),
    3.0 * 2**20,
    1.5 * 2**20,
    Dense(15.0 * 2**20, 1e-3, "W", 0.414),
    None,
    None,
    MANY,
    ("a computed factor on line 7 is rounded to bf16 before its product",),
    (("instructions", "199"), ("spills", "0")),
)
REPORT = Report(
    "k",
    "k.haste",
    "sm_90",
    "NVIDIA H100",
    "triton",
    (("M", 4),),
    (("N", 4096),),
    (TABLE,),
    (REGION,),
)


@pytest.mark.parametrize("tables", [1, 9, 40])
@pytest.mark.parametrize("regions", [0, 1, 7, 30])
def test_any_report_fits_a_screen(tables: int, regions: int) -> None:
    report = replace(REPORT, tables=(TABLE,) * tables, regions=(REGION,) * regions)
    lines = show(report).splitlines()
    assert len(lines) <= LINES and max(map(len, lines)) <= COLUMNS
    assert lines[0].startswith("k: ")


def test_what_a_report_says() -> None:
    text = show(replace(REPORT, regions=(replace(REGION, lines=((3, "y[m] = 1"),)),)))
    assert "k: 1 kernel for sm_90 (NVIDIA H100); M = 4" in text
    assert "assumed: N = 4096; bind sizes to be priced at them" in text
    assert "1.5 MiB (dense 15 MiB), 10 % entries; chosen: 8.4 us predicted" in text
    assert "8.4 us predicted, bound by instructions issued (bytes 1 us, slots 8 us)" in text
    assert "3 MiB predicted to move, 2x of the 1.5 MiB that must (each table once)" in text
    assert "with dense tables 1 ms predicted, 15 MiB; faster from 41.4 % entries in W" in text
    assert "199 instructions, 0 spills" in text and "37 more rejected" in text
    assert "rounds    a computed factor on line 7 is rounded to bf16" in text


def test_the_sides_of_a_choice() -> None:
    def said(**changes: object) -> str:
        region = replace(REGION, **changes)  # type: ignore[arg-type]  # fields by name
        return show(replace(REPORT, regions=(region,)))

    dense = Dense(1.0, 1e-3, "W", None)
    assert "never faster, however full W is" in said(dense=dense)
    assert "faster already" in said(dense=replace(dense, wins_at=0.0))
    assert "faster from" not in said(dense=replace(dense, table=""))
    sparse = Sparse("W", "csr", 2e-3, 0.05)
    assert "with W as csr 2 ms predicted; faster below 5 % entries in W" in said(sparse=sparse)
    assert "however empty W is" in said(sparse=replace(sparse, wins_below=None))
    assert "known when tables are given" in said(least=None)
    assert "2 ms measured; 8.4 us predicted" in said(measured=2e-3)


def test_notes_of_an_interpreted_program() -> None:
    note = Diagnostic("HST5001", "the selection topk has no lowering yet", Span(7, 1, 7, 2))
    report = replace(REPORT, tables=(), regions=(), notes=(note,))
    lines = show(report).splitlines()
    assert lines[0] == "k: interpreted for sm_90 (NVIDIA H100); M = 4"
    assert " ".join(lines[1].split()) == f"note line 7: {note.message}"
    assert report.data()["notes"] == [
        {"code": "HST5001", "message": note.message, "line": 7, "help": ""}
    ]
