"""The numbers of a table, against counting them the slow way."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from hastec.ir import types as t
from hastec.levels import stats as stats_module
from hastec.levels.assemble import from_dense, pack
from hastec.levels.stats import Stats, describe
from tests.unit import table_formats as tf
from tests.unit.table_help import Tensor, layouts, sizes_of, table

X = table(31, 0.3, t.F32, (37, 53))


def of(x: Tensor) -> Stats:
    entries = from_dense(x)
    return describe(entries.coords, entries.shape)


def test_lengths() -> None:
    found, mask = of(X), X.numpy() != 0
    assert found.entries == mask.sum() and found.density == mask.mean()
    for axis, lengths in ((1, found.dims[0]), (0, found.dims[1]), (1, found.rows)):
        count = mask.sum(axis)
        assert (lengths.extent, lengths.least, lengths.most) == (
            len(count),
            count.min(),
            count.max(),
        )
        assert lengths.mean == pytest.approx(count.mean())
        assert lengths.variation == pytest.approx(count.std() / count.mean())
        assert lengths.empty == (count == 0).mean()


def test_blocks() -> None:
    mask = X.numpy() != 0
    for block in of(X).blocks:
        r, c = block.rows, block.columns
        whole = np.zeros((-(-37 // r) * r, -(-53 // c) * c), bool)
        whole[:37, :53] = mask
        touched = whole.reshape(whole.shape[0] // r, r, -1, c).any((1, 3)).sum()
        assert (block.touched, block.fill) == (touched, mask.sum() / (touched * r * c))


def test_groups() -> None:
    mask = X.numpy() != 0
    for group in of(X).groups:
        m, n = group.among, group.keep
        count = sum(
            min(n, int(mask[i, j : j + m].sum())) for i in range(37) for j in range(0, 53, m)
        )
        assert group.share == count / mask.sum()
    even = torch.zeros(4, 8)
    even[:, ::2] = 1
    assert of(even).groups[0].share == 1.0


def test_fillers_are_those_packing_stores() -> None:
    found = of(X)
    for code in found.fillers:
        rate = 0
        for row in X:
            columns = [0, *row.nonzero().ravel().tolist()]
            rate += sum((b - a) // (2**code.bits - 1) for a, b in pairwise(columns))
        assert code.rate == rate / found.entries


@pytest.mark.parametrize("height", [1, 4, 32, 64])
@pytest.mark.parametrize("unit", [1, 4])
def test_padding_is_what_packing_stores(height: int, unit: int) -> None:
    sell = tf.part(
        tf.level("dense", tf.over("i", height)),
        tf.level("dense", tf.rest("i", height)),
        tf.level("ragged", tf.COL, pad=tf.over("i", height), unit=unit),
    )
    made = pack(layouts(tf.fmt("sell", sell)), from_dense(X), sizes_of(X))
    assert of(X).padding(height, unit=unit) == made.slots / made.entries


def test_sorting_rows_within_windows() -> None:
    lengths = (X != 0).sum(1).tolist()
    lengths = [n for w in range(0, 37, 8) for n in sorted(lengths[w : w + 8], reverse=True)]
    slots = sum(4 * max(lengths[s : s + 4]) for s in range(0, 37, 4))
    assert of(X).padding(4, window=8) == slots / sum(lengths)
    assert of(X).padding(4, window=37) <= of(X).padding(4)


def test_order_duplicates_and_reach() -> None:
    entries, found = from_dense(X), of(X)
    assert found.sorted and found.duplicates == 0
    across = [c - r for r, c in zip(*(c.tolist() for c in entries.coords), strict=True)]
    assert found.reach == (min(across), max(across))
    mixed = entries.pick(torch.randperm(entries.count, generator=torch.Generator().manual_seed(0)))
    shuffled = describe(mixed.coords, mixed.shape)
    assert not shuffled.sorted
    assert shuffled.blocks == found.blocks and shuffled.fillers == found.fillers
    assert shuffled.groups == found.groups and shuffled.dims == found.dims
    twice = entries.pick(torch.tensor([0, 1, 1, 2]))
    assert describe(twice.coords, twice.shape).duplicates == 1


def test_tables_of_other_ranks() -> None:
    y = table(32, 0.3, t.F32, (3, 5, 8))
    found, flat = of(y), of(y.reshape(15, 8))
    assert len(found.dims) == 3 and found.rows == flat.rows
    assert found.blocks == flat.blocks and found.padding(4) == flat.padding(4)
    line = of(torch.tensor([0.0, 1, 0, 2]))
    assert line.rows.extent == 1 and line.rows.most == 2


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (0, 0), (4, 6)])
def test_empty_tables(shape: tuple[int, int]) -> None:
    found = of(torch.zeros(shape))
    assert found.entries == 0 and found.density == 0 and found.padding(4) == 1.0
    assert all(b.touched == 0 for b in found.blocks) and str(found)


def test_large_tables_are_sampled_by_bands(monkeypatch: pytest.MonkeyPatch) -> None:
    x = table(33, 0.2, t.F32, (4096, 64))
    whole = of(x)
    monkeypatch.setattr(stats_module, "SAMPLE", whole.entries // 4)
    part = of(x)
    assert whole.sampled == 1 and 0.2 < part.sampled < 0.3
    assert part.dims == whole.dims and part.padding(32) == whole.padding(32)
    for few, all_ in zip(part.blocks, whole.blocks, strict=True):
        assert few.fill == pytest.approx(all_.fill, rel=0.03)
    for little, much in zip(part.fillers, whole.fillers, strict=True):
        assert little.rate == pytest.approx(much.rate, rel=0.05, abs=0.01)
    assert "from 20" in str(part)


def test_they_print_and_travel_as_json() -> None:
    found = of(X)
    text = json.dumps(found.json())
    assert json.loads(text)["blocks"][0]["columns"] == 4
    assert str(found).splitlines()[0].startswith("shape 37 x 53, 552 entries, density 0.281")
    assert "1x4" in str(found) and "2:4 keeps" in str(found)
