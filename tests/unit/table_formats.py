"""Formats the table tests run over, spelled out."""

from __future__ import annotations

from hastec.ir.format import CodeSpec, Coord, Digit, Format, LevelSpec, Part

ROW, COL = Coord("i"), Coord("j")


def over(dim: str, by: int) -> Coord:
    return Coord(dim, "/", by)


def rest(dim: str, by: int) -> Coord:
    return Coord(dim, "%", by)


def level(kind: str, coord: Coord, **options: int | Coord) -> LevelSpec:
    return LevelSpec(kind, coord, tuple(options.items()))


def part(
    *levels: LevelSpec, index: str = "i32", bits: int = 0, order: tuple[Digit, ...] = ()
) -> Part:
    code = CodeSpec("delta", (("bits", bits),)) if bits else CodeSpec(index)
    return Part(levels, index=code, order=order)


def fmt(name: str, *parts: Part, dims: tuple[str, ...] = ("i", "j")) -> Format:
    return Format(name, dims, parts)


def sell(c: int, bits: int = 0) -> Part:
    return part(
        level("dense", over("i", c)),
        level("dense", rest("i", c)),
        level("ragged", COL, pad=over("i", c)),
        bits=bits,
    )


def bsr(r: int, c: int, index: str = "i32", bits: int = 0) -> Part:
    return part(
        level("dense", over("i", r)),
        level("compressed", over("j", c)),
        level("dense", rest("i", r)),
        level("dense", rest("j", c)),
        index=index,
        bits=bits,
    )


def nm(n: int, m: int, index: str = "u8") -> Part:
    return part(
        level("dense", ROW),
        level("dense", over("j", m)),
        level("choose", rest("j", m), n=n),
        index=index,
    )


def csr(index: str = "i32", bits: int = 0) -> Part:
    return part(level("dense", ROW), level("compressed", COL), index=index, bits=bits)


COO = part(level("compressed", ROW, unique=0), level("singleton", COL))

EXACT: tuple[Format, ...] = (
    fmt("dense", part(level("dense", ROW), level("dense", COL))),
    fmt(
        "dense_columns", part(level("dense", ROW), level("dense", COL), order=(Digit(1), Digit(0)))
    ),
    fmt("csr", csr()),
    fmt("csr_u16", csr("u16")),
    fmt("csr_i64", csr("i64")),
    fmt("csr_delta4", csr(bits=4)),
    fmt("csr_delta3", csr(bits=3)),
    fmt("csr_delta1", csr(bits=1)),
    fmt("csc", part(level("dense", COL), level("compressed", ROW))),
    fmt("dcsr", part(level("compressed", ROW), level("compressed", COL))),
    fmt("coo", COO),
    fmt("ell", part(level("dense", ROW), level("fixed", COL))),
    fmt("ell_delta", part(level("dense", ROW), level("fixed", COL), bits=2)),
    fmt("ell_columns", part(level("dense", ROW), level("fixed", COL), order=(Digit(1), Digit(0)))),
    fmt("sell4", sell(4)),
    fmt("sell4_delta4", sell(4, bits=4)),
    fmt("sell1", part(level("dense", ROW), level("ragged", COL, unit=4))),
    fmt("bsr_2_3", bsr(2, 3)),
    fmt("bsr_1_4_u8", bsr(1, 4, index="u8")),
    fmt("bsr_delta", bsr(3, 2, bits=2)),
    fmt(
        "block_ell",
        part(
            level("dense", over("i", 2)),
            level("fixed", over("j", 4)),
            level("dense", rest("i", 2)),
            level("dense", rest("j", 4)),
        ),
    ),
    fmt("bitmap", part(level("dense", ROW), level("bitmap", COL))),
    fmt(
        "bitmap_columns",
        part(
            level("dense", COL),
            level("dense", rest("i", 8)),
            level("bitmap", over("i", 8)),
            order=(Digit(1), Digit(0), Digit(2)),
        ),
    ),
    fmt(
        "bitmap_blocks",
        part(
            level("dense", over("i", 2)),
            level("bitmap", over("j", 2)),
            level("dense", rest("i", 2)),
            level("dense", rest("j", 2)),
        ),
    ),
    fmt("bitmap_rows", part(level("bitmap", ROW), level("compressed", COL))),
    fmt("nm_4_4", nm(4, 4)),
    fmt("nm_2_4_csr", nm(2, 4), csr("u16")),
    fmt("nm_1_3_coo", nm(1, 3), COO),
    fmt("ell2_coo", part(level("dense", ROW), level("fixed", COL, k=2)), COO),
    fmt(
        "ell_ell_csr",
        part(level("dense", ROW), level("fixed", COL, k=1)),
        part(level("dense", ROW), level("fixed", COL, k=2)),
        csr(),
    ),
    fmt(
        "lanes",
        part(
            level("dense", over("i", 4)),
            level("dense", rest("i", 4)),
            level("ragged", COL, pad=over("i", 4), unit=2),
            order=(Digit(0), Digit(2, 2), Digit(1, 2, 2), Digit(2, 1, 2), Digit(1, 1, 2)),
        ),
    ),
)
"""Every format holds any table of two dimensions."""
