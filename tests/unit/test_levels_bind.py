"""Binding formats: extents, storage orders, and every refusal word for word."""

from __future__ import annotations

import pytest

from hastec.diag import HasteError
from hastec.ir import types as t
from hastec.ir.format import CodeSpec, Coord, Digit, Format, LevelSpec, Part
from hastec.levels.formats import bind_format
from hastec.levels.registry import default_registry
from hastec.sym.size import Size
from tests.unit import table_formats as tf
from tests.unit.table_help import by_name, layouts

ROW, COL = tf.ROW, tf.COL


def order(fmt: Format) -> str:
    (layout,) = layouts(fmt)
    return ", ".join(str(d) for d in layout.order)


def extents(fmt: Format) -> list[str]:
    return [str(e) for e in layouts(fmt)[0].extents]


def test_extents_are_sizes() -> None:
    assert extents(by_name("dense")) == ["M", "N"]
    assert extents(by_name("csr")) == ["M", "None"]
    assert extents(by_name("coo")) == ["None", "None"]
    assert extents(by_name("sell4")) == ["(M + 3) / 4", "4", "None"]
    assert extents(by_name("bsr_2_3")) == ["(M + 1) / 2", "None", "2", "3"]
    assert extents(by_name("ell")) == ["M", "W.1.k"]
    assert extents(by_name("bitmap")) == ["M", "N"]
    assert extents(tf.fmt("nm", tf.nm(2, 4))) == ["M", "(N + 3) / 4", "2"]
    assert (
        extents(tf.fmt("e", tf.part(tf.level("dense", ROW), tf.level("fixed", COL, k=7))))[1] == "7"
    )


def test_the_default_order_is_that_of_levels_but_padded_fibres_follow_their_group() -> None:
    assert order(by_name("csr")) == "0, 1"
    assert order(by_name("coo")) == "0"
    assert order(by_name("bsr_2_3")) == "0, 1, 2, 3"
    assert order(by_name("sell4")) == "0, 2, 1"
    assert order(by_name("sell4_delta4")) == "0, 2 / 8, 1, 2 % 8"
    assert order(by_name("csr_delta4")) == "0, 1"
    assert order(by_name("dense_columns")) == "1, 0"
    blocks = tf.part(
        tf.level("dense", tf.over("i", 4)),
        tf.level("dense", tf.rest("i", 4)),
        tf.level("ragged", tf.over("j", 2), pad=tf.over("i", 4)),
        tf.level("dense", tf.rest("j", 2)),
    )
    assert order(tf.fmt("sell_blocks", blocks)) == "0, 2, 1, 3"


def test_a_table_of_more_dimensions_is_dense_in_front() -> None:
    (layout,) = layouts(by_name("sell4"), rank=3)
    assert layout.dims == ("d0", "i", "j")
    assert str(layout.levels[0].spec) == "dense(d0)"
    assert ", ".join(str(d) for d in layout.order) == "0, 1, 3, 2"
    (swapped,) = layouts(by_name("dense_columns"), rank=3)
    assert [d.level for d in swapped.order] == [0, 2, 1]


def test_leading_names_do_not_clash() -> None:
    fmt = Format(
        "f",
        ("d0", "d1"),
        (tf.part(tf.level("dense", Coord("d0")), tf.level("dense", Coord("d1"))),),
    )
    assert layouts(fmt, rank=3)[0].dims == ("d2", "d0", "d1")


def test_parts_of_a_sum_have_names_of_their_own() -> None:
    assert [lay.table for lay in layouts(by_name("nm_2_4_csr"))] == ["W.p0", "W.p1"]
    assert [lay.table for lay in layouts(by_name("csr"))] == ["W"]


def asked(*levels: LevelSpec, index: str = "i32", bits: int = 0, digits: str = "") -> Part:
    """Return a part; ``digits`` as printed: ``0, 1 / 8, 1 % 8``."""
    code = CodeSpec(index, (("bits", bits),) if bits else ())
    order = tuple(digit(d) for d in digits.split(", ")) if digits else ()
    return Part(levels, index=code, order=order)


def digit(text: str) -> Digit:
    head, _, extent = text.partition(" % ")
    level, _, div = head.partition(" / ")
    return Digit(int(level), int(div or 1), int(extent or 0))


D, C = "dense", "compressed"
L = tf.level


@pytest.mark.parametrize(
    ("part", "error"),
    [
        (
            asked(L("desne", ROW), L(D, COL)),
            "HST4501: no level is called 'desne'",
        ),
        (
            asked(L(D, ROW), L(C, COL), index="i16"),
            "HST4501: no index code is called 'i16'",
        ),
        (
            asked(L(D, ROW)),
            "HST4502: dimension 'j' cannot be found again from its levels: they store nothing",
        ),
        (
            asked(L(D, ROW), L(D, COL), L(D, COL)),
            "HST4502: dimension 'j' cannot be found again from its levels: they store 'j', 'j'",
        ),
        (
            asked(L(D, ROW), L(D, tf.over("j", 4)), L(D, tf.rest("j", 3))),
            "HST4502: dimension 'j' cannot be found again from its levels: "
            "they store 'j / 4', 'j % 3'",
        ),
        (
            asked(L(D, tf.over("i", 2)), L(D, COL)),
            "HST4502: dimension 'i' cannot be found again from its levels: they store 'i / 2'",
        ),
        (
            asked(L(D, ROW), L(D, COL), L(D, Coord("k"))),
            "HST4502: level dense(k) stores 'k', which is no dimension of the format",
        ),
        (
            asked(L("singleton", ROW), L(D, COL)),
            "HST4503: level singleton(i) must stand below a level whose coordinates may repeat",
        ),
        (
            asked(L(C, ROW), L("singleton", COL)),
            "HST4503: level singleton(j) must stand below a level whose coordinates may repeat",
        ),
        (
            asked(L(C, ROW, unique=0), L(C, COL)),
            "HST4503: coordinates of level compressed(i; unique = 0) may repeat, "
            "and nothing tells them apart",
        ),
        (
            asked(L(D, ROW), L("choose", COL, n=2)),
            "HST4503: level choose(j; n = 2) cannot keep 2 of every few coordinates",
        ),
        (
            asked(L(D, ROW), L(D, tf.over("j", 4)), L("choose", tf.rest("j", 4), n=5)),
            "HST4503: level choose(j % 4; n = 5) cannot keep 5 of every few coordinates",
        ),
        (
            asked(L(D, ROW), L("fixed", COL, k=0)),
            "HST4503: level fixed(j; k = 0): k must be a positive multiple of 1",
        ),
        (
            asked(L(D, ROW), L("fixed", COL, k=10), index="delta", bits=4),
            "HST4503: level fixed(j; k = 10): k must be a positive multiple of 8",
        ),
        (
            asked(L(D, ROW), L(C, COL), index="delta", bits=17),
            "HST4503: index delta(bits = 17): a difference has 1 to 16 bits",
        ),
        (
            asked(L(C, ROW, unique=0), L("singleton", COL), index="delta"),
            "HST4503: level compressed(i; unique = 0) cannot have index delta",
        ),
        (
            asked(L(D, ROW), L("ragged", COL, pad=tf.over("i", 4))),
            "HST4504: level ragged(j; pad = i / 4) is padded within 'i / 4', "
            "which no level above it stores",
        ),
        (
            asked(L(D, ROW), L(D, COL), digits="0"),
            "HST4505: W cannot be stored in the order [0]: "
            "its digits do not spell out level dense(j)",
        ),
        (
            asked(L(D, ROW), L(D, COL), digits="0 / 4, 1, 0 % 3"),
            "HST4505: W cannot be stored in the order [0 / 4, 1, 0 % 3]: "
            "its digits do not spell out level dense(i)",
        ),
        (
            asked(L(D, ROW), L(D, COL), digits="0, 1, 2"),
            "HST4505: W cannot be stored in the order [0, 1, 2]: there is no level 2",
        ),
        (
            asked(L(D, ROW), L(C, COL), digits="1, 0"),
            "HST4505: W cannot be stored in the order [1, 0]: "
            "fibres of compressed(j) differ in length, so dense(i) cannot lie inside them",
        ),
        (
            asked(L(D, ROW), L(C, tf.over("j", 2)), L(D, tf.rest("j", 2)),
                    digits="0, 2, 1"),
            "HST4505: W cannot be stored in the order [0, 2, 1]: "
            "inner levels stand in front of level compressed(j / 2)",
        ),
        (
            asked(L(D, ROW), L("ragged", COL, unit=4), digits="0, 1 / 8, 1 % 8"),
            "HST4505: W cannot be stored in the order [0, 1 / 8, 1 % 8]: "
            "fibres of ragged(j; unit = 4) do not come in units of 8",
        ),
        (
            asked(L(D, ROW), L("bitmap", COL), digits="1, 0"),
            "HST4505: W cannot be stored in the order [1, 0]: "
            "fibres of bitmap(j) differ in length, so dense(i) cannot lie inside them",
        ),
        (
            asked(L(C, ROW, unique=0), L("singleton", COL), digits="0, 1"),
            "HST4505: W cannot be stored in the order [0, 1]: "
            "level singleton(j) has one position, so it has no digit",
        ),
    ],
)  # fmt: skip
def test_refusals(part: Part, error: str) -> None:
    shape = Size.of("M"), Size.of("N")
    with pytest.raises(HasteError) as caught:
        bind_format(Format("f", ("i", "j"), (part,)), "W", t.F32, shape, default_registry())
    (diagnostic,) = caught.value.diagnostics
    assert f"{diagnostic.code}: {diagnostic.message}" == error
    assert diagnostic.help


def test_too_few_dimensions() -> None:
    with pytest.raises(HasteError, match="stores 2 dimensions, table W has 1"):
        layouts(by_name("csr"), rank=1)
