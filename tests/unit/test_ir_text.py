"""Graphs as text: what is printed reads back equal, and any other text is a coded error."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from hastec.diag import HasteError, Span
from hastec.ir.format import CodeSpec, Coord, Cut, Digit, Format, LevelSpec, Part
from hastec.ir.graph import Graph, Law, Monoid, NodeId, Param, Region
from hastec.ir.graph_builder import GraphBuilder
from hastec.ir.read import read_graph
from hastec.ir.show import show_graph
from hastec.ir.types import BITS, BY_NAME, F16, F32, I32
from hastec.sym.size import Size
from tests.prop.gen_graph import random_program

M, N, L = (Size.of(name) for name in "MNL")


def linear() -> Graph:
    b = GraphBuilder(name="linear")
    w = b.param(Param("W", F16, (M, N), time="static", sparse=True, span=Span(1, 15, 1, 20)))
    x = b.param(Param("X", F16, (N,)))
    b.param(Param("Y", F32, (M,), role="out"))
    assert w is not None and x is not None
    b.loop("m", M)
    b.loop("n", N)
    m, n = b.index("m"), b.index("n")
    product = b.map("mul", b.access(w, m, n), b.access(x, n), span=Span(2, 19, 2, 33))
    total = b.reduce("sum", "n", product, span=Span(2, 12, 2, 33))
    b.output("Y", b.define("Y", ("m",), total, span=Span(2, 5, 2, 33)))
    return b.build()


LINEAR = """\
graph linear(M, N) {
  in W: static sparse f16[M, N]   # 1:15-20
  in X: f16[N]
  out Y: f32[M]
  rank m: %3 .. %2 extent M   # 0 .. M
  rank n: %3 .. %4 extent N   # 0 .. N
  %0: f16[M, N] = input W   # 1:15-20
  %1: f16[N] = input X
  %2: i64 = size M
  %3: i32 = const 0
  %4: i64 = size N
  %5: i64{m} = index m
  %6: i64{n} = index n
  %7: f16{m, n} = access %0[%5, %6]
  %8: f16{n} = access %1[%6]
  %9: f32{m, n} = mul(%7, %8)   # 2:19-33
  %10: f32{m} = reduce sum[n](%9)   # 2:12-33
  %11: f32[M] = define Y[m] = %10   # 2:5-33
  output Y = %11
}
"""


def test_text_of_a_graph() -> None:
    assert show_graph(linear()) == LINEAR
    assert read_graph(LINEAR) == linear()


def formats() -> tuple[Format, ...]:
    sell = Part(
        (
            LevelSpec("dense", Coord("i", "/", 32)),
            LevelSpec("dense", Coord("i", "%", 32)),
            LevelSpec("ragged", Coord("j"), (("pad", Coord("i", "/", 32)), ("k", 4), ("by", "c"))),
        ),
        CodeSpec("int4", (("group", 16), ("zero", 1))),
        CodeSpec("delta", (("bits", 8),)),
        (Digit(0), Digit(2, 4), Digit(1, 1, 32), Digit(2, 1, 4)),
    )
    dense = Part((LevelSpec("dense", Coord("i")), LevelSpec("dense", Coord("j"))))
    return (
        Format("sell", ("i", "j"), (sell,), arguments=(("c", 32),)),
        Format("mixed", ("i", "j"), (sell, dense)),
        Format("tail", ("i", "j"), (dense, dense), Cut("i", "c")),
    )


OWN = Monoid(
    "own",
    ("g", "x"),
    ("p", "h"),
    (("param", "g"), ("param", "x")),
    (("const", 1), ("const", True)),
    (("mul", ("state", "a", "p"), ("state", "b", "p")), ("state", "b", "h")),
    ("cast", "i32", ("add", ("field", "h"), ("const", -1.5))),
    Span(3, 1, 8, 2),
)


def declared() -> tuple[GraphBuilder, dict[str, NodeId]]:
    """Parameters, ranks and a monoid in which every field has a value of its own."""
    sell, _, tail = formats()
    b = GraphBuilder(name="everything")
    b.monoid(OWN)
    params = (
        Param("A", F16, (M, N), time="request", host=True, format=sell),
        Param("S", F32, (M, N), "inout", sparse=True, fill=float("inf"), format=tail),
        Param("n", I32, ()),
        Param("P", BITS, (M, (L + 63) // 64 * 2 - N % 3)),
        Param("Y", F32, (M, N), "out", like="S", cap=12, fill=-1.0),
        Param("T", BY_NAME["bool"], (M, N), "out", sparse=True, cap=3),
    )
    given = {p.name: b.param(p) for p in params}
    tables = {name: node for name, node in given.items() if node is not None}
    b.loop("i", M)
    length = b.map("min", b.access(tables["n"]), b.size(N))
    b.rank("j.1", length, b.const(1), N, Span(4, 1, 5, 9))
    b.rank("free", b.const(7))
    return b, tables


def everything() -> Graph:
    """A graph with every node and every decision."""
    sell, mixed, tail = formats()
    b, tables = declared()
    s = tables["S"]
    i, j = b.index("i"), b.index("j.1")
    near = b.map("lt", i, j)
    score = b.access(s, i, j)
    top = b.reduce("max", "j.1", score, (near,))
    floor = b.map("max", top, b.const(-3.4e38))
    gap = b.map("exp", b.map("sub", score, floor))
    z = b.reduce("sum", "j.1", gap, (near, b.present(s, i, j)))
    own = b.reduce("own", ("i", "free"), (gap, b.const(2.5)))
    soft = b.softmax("j.1", score, (near,))
    t = b.select("topk", ("i", "j.1"), "j.1", score, b.const(2), (near,), (near,), (M, N))
    u = b.update(s, ("i", "j.1"), (i, j), b.map("mul", soft, own), (b.access(t, i, j),))
    body = b.map("where", b.const(False), z, b.const(float("-inf")))
    y = b.define("Y", ("i", "j.1"), b.map("add", body, b.const(1e-30)))
    c = b.convert(u, mixed)
    b.outputs |= {"S": c, "Y": y, "T": t}
    return replace(
        b.build(),
        laws=(Law(top, floor, (z,)),),
        formats=((tables["A"], sell), (s, tail), (c, mixed)),
        regions=(Region("r0", (t, u)), Region("r one", (c, y), schedule="grid 4\n\n  loop k |")),
        hints=(("tile.m", 64), ("split", -1)),
        passed=("normalise", "choose-formats"),
    )


def test_every_field_reads_back() -> None:
    graph = everything()
    text = show_graph(graph)
    assert read_graph(text) == graph
    assert show_graph(read_graph(text)) == text


def test_a_hook_prints_and_reads_schedules() -> None:
    graph = replace(everything(), regions=(Region("r", (1,), schedule=(3, 4)),))

    def lines(schedule: object) -> str:
        assert isinstance(schedule, tuple)
        return "\n".join(str(n) for n in schedule)

    text = show_graph(graph, lines)
    assert read_graph(text, lambda t: tuple(int(n) for n in t.split("\n"))) == graph


def test_literals_keep_their_kind() -> None:
    b = GraphBuilder(name="k")
    ids = [b.const(v) for v in (0, 0.0, False, 1, True, 1.0, -0.0, -3, 1e300, 2**40)]
    assert len(set(ids)) == len(ids)
    again = read_graph(show_graph(b.build()))
    assert [repr(n.op) for n in again.nodes] == [repr(n.op) for n in b.build().nodes]


@pytest.mark.parametrize(
    "size",
    [
        M * N * 3 - L + 1,
        -(L // 64) * 2 + (L % 7),
        (M * N + 3) // (L + 1) - 5,
        -(M // N),
        Size.of(0) - M,
        (M // 2) * (N % 3) * 4,
        ((M + 1) // 2 + N) // 3 % (L + 2),
    ],
)
def test_sizes_read_back(size: Size) -> None:
    graph = Graph("k", (Param("A", F16, (size,)),), (), (), ())
    assert read_graph(show_graph(graph)).params[0].shape == (size,)


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_read_back(seed: int) -> None:
    graph, _, _ = random_program(seed, exact=seed % 2 == 0)
    assert read_graph(show_graph(graph)) == graph


# ------------------------------------------------------------------------------------------- errors
@pytest.mark.parametrize(
    ("old", "new", "code", "place", "message"),
    [
        ("sum[n]", "sum[n]!", "HST7001", "17:30", "this character means nothing here"),
        ("in X:", "in X", "HST7002", "3:8", "expected `:`, found `f16`"),
        ("mul(%7", "mull(%7", "HST7003", "16:19", "no operation or function is called `mull`"),
        ("f16[N]\n", "f17[N]\n", "HST7003", "3:9", "no element type is called `f17`"),
        ("%8: f16", "%7: f16", "HST7004", "15:3", "there are two nodes `%7`"),
        ("(%7, %8)", "(%7, %99)", "HST7003", "16:27", "no node is called %99"),
        ("const 0", f"const {'9' * 500}", "HST7005", "10:19", "a number of 500 digits is out of"),
        ("size M", f"size {'(' * 70}M", "HST7006", "9:82", "brackets are nested more than 64"),
        ("output Y = %11\n}", "output Y = %11\n", "HST7002", "21:1", "expected a declaration"),
        ("define Y[m] = %10", "define Y[m] %10", "HST7002", "18:29", "expected `=`, found `%10`"),
        ("}\n", "} more\n", "HST7002", "20:3", "expected the end, found `more`"),
    ],
)
def test_malformed_text(old: str, new: str, code: str, place: str, message: str) -> None:
    text = LINEAR.replace(old, new, 1) if old != "}\n" else LINEAR.removesuffix(old) + new
    with pytest.raises(HasteError) as caught:
        read_graph(text)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == code
    assert diagnostic.message.startswith(message)
    assert str(diagnostic.span) == place
    assert str(caught.value).startswith(f"<graph>:{place}: error[{code}]")


def test_a_short_text_cannot_make_a_huge_size() -> None:
    product = " * ".join(f"(a{i} + b{i})" for i in range(40))
    with pytest.raises(HasteError, match="HST7005"):
        read_graph(LINEAR.replace("size M", f"size {product}", 1))


def test_mutated_text_reads_or_fails_with_a_code() -> None:
    texts = [LINEAR, show_graph(everything())]
    chooser = random.Random(5)
    pieces = ['"', "\\", "(", "]", "{", "%", "..", "\n", "#", "|", "9" * 30, "é", "\0", " ", "-"]
    failed = 0
    for _ in range(1500):
        text = chooser.choice(texts)
        for _ in range(chooser.randint(1, 3)):
            at = chooser.randrange(len(text))
            cut = chooser.choice((0, 1, 1, 7))
            text = text[:at] + chooser.choice((*pieces, "")) + text[at + cut :]
        try:
            read_graph(text)
        except HasteError as error:
            failed += 1
            assert all(d.code.startswith("HST70") and d.span for d in error.diagnostics)
    assert failed > 500
