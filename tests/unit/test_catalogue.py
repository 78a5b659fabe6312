"""What formats are offered for a static sparse table, and the bytes they are said to take."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from hastec.cost.facts import Fibres
from hastec.cost.gather import _reach
from hastec.ir.format import CodeSpec
from hastec.levels.stats import describe
from hastec.passes.catalogue import BLOCKS, PIECE, WIDEST, csr, pieced, widths
from hastec.passes.facts import facts_for
from tests.unit.lower_help import VECTOR, graph_of


@pytest.mark.parametrize("columns", [1, 32, 33, 100, 512, 4095, 4096, 4097, 14336, 28672, 1 << 40])
def test_pieces_of_a_row(columns: int) -> None:
    found = widths(columns)
    assert all(w % PIECE == 0 and w < columns for w in found)
    assert all(a % b == 0 for a, b in pairwise(found))
    if found and columns <= 128 * WIDEST:
        assert found[-1] <= WIDEST
    assert not found or -(-columns // found[-1]) <= 128


@pytest.mark.parametrize("columns", [4096, 8192, 14336, 28672])
def test_there_are_a_power_of_two_of_narrow_pieces(columns: int) -> None:
    count = columns // widths(columns)[-1]
    assert count * widths(columns)[-1] == columns and count & (count - 1) == 0 and count >= 16


def test_what_is_known_of_fibres() -> None:
    draw = torch.Generator().manual_seed(0)
    held = torch.rand(64, 1024, generator=draw) < 0.25
    coords = tuple(held.nonzero().t().contiguous())
    stats = describe(coords, (64, 1024), BLOCKS, widths=widths(1024))
    graph = graph_of(VECTOR.replace("sparse", "static sparse"))
    for fmt, level, abreast in (
        (csr("u16"), "W.1", False),
        (pieced(32, 256, 8, CodeSpec("u16")), "W.3", True),
    ):
        found = facts_for(graph, {"W": stats}, {"M": 64, "K": 1024}, {"W": fmt}).fibres[level]
        assert found.gap == pytest.approx(4, rel=0.1) and found.abreast is abreast
        assert found.length == pytest.approx(256 if level == "W.1" else 80, rel=0.15)


def test_lanes_reach_as_far_as_simulated_rows() -> None:
    """Lanes of neighbouring rows at one position, against rows drawn at random."""
    draw = torch.Generator().manual_seed(1)
    for density, columns in ((0.1, 512), (0.3, 512), (0.5, 1024)):
        rows = torch.rand(4096, columns, generator=draw) < density
        count = int(density * columns / 2)
        at = (rows.cumsum(1) <= count).sum(1).double().reshape(-1, 32)
        seen = float((at.amax(1) - at.amin(1)).mean())
        guess = _reach(Fibres(density * columns, 1 / density, True), 32)
        assert guess == pytest.approx(seen, rel=0.25), (density, columns)
        along = _reach(Fibres(density * columns, 1 / density), 32)
        assert along == pytest.approx(31 / density)
