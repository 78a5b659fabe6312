"""Printed graphs read back: the inverse of :mod:`hastec.ir.show`.

Any text at all gives a graph or a ``HasteError`` with a code and a place. Whether the graph makes
sense is for :mod:`hastec.ir.verify` to say.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

from hastec.ir.format import Format
from hastec.ir.graph import Decision, Graph, Law, Monoid, Node, NodeId, Param, Rank, Region
from hastec.ir.lex import TWICE, UNKNOWN, Cursor
from hastec.ir.read_format import comma, read_format, read_size
from hastec.ir.read_op import equals_ref, read_monoid, read_op, read_refs
from hastec.ir.types import BY_NAME, DType
from hastec.sym.size import Size

ReadSchedule = Callable[[str], object]
Role = Literal["in", "out", "inout"]


def read_graph(text: str, schedule: ReadSchedule | None = None) -> Graph:
    """Read a graph printed by :func:`hastec.ir.show.show_graph`.

    ``schedule`` reads the schedule of a region; without it the text itself is kept.
    Raises ``HasteError`` (HST7xxx) at the first place that cannot be read.
    """
    cursor = Cursor(text, "<graph>")
    cursor.blank()
    cursor.expect("graph")
    name = cursor.name()
    cursor.expect("(")
    comma(cursor, ")", cursor.name)
    cursor.expect("{")
    cursor.end_line()
    reader = _Reader(cursor, schedule or str)
    while not _closed(cursor):
        reader.line()
    cursor.blank()
    cursor.kind("end", "the end")
    return reader.graph(name)


def _closed(cursor: Cursor) -> bool:
    cursor.blank()
    return cursor.accept("}")


class _Reader:
    """Collects the lines of one graph."""

    def __init__(self, cursor: Cursor, schedule: ReadSchedule) -> None:
        self.cursor = cursor
        self.schedule = schedule
        self.params: list[Param] = []
        self.ranks: list[Rank] = []
        self.nodes: list[Node] = []
        self.outputs: list[tuple[str, NodeId]] = []
        self.monoids: list[Monoid] = []
        self.laws: list[Law] = []
        self.formats: list[tuple[NodeId, Format]] = []
        self.regions: list[Region] = []
        self.hints: list[tuple[str, int]] = []
        self.passed: list[str] = []
        self.candidates: list[tuple[NodeId, Format]] = []
        self.decisions: list[Decision] = []
        self._known: set[NodeId] = set()

    def graph(self, name: str) -> Graph:
        for used, token in self.cursor.used.items():
            if used not in self._known:
                self.cursor.fail(UNKNOWN, f"no node is called %{used}", token)
        return Graph(
            name,
            tuple(self.params),
            tuple(self.ranks),
            tuple(self.nodes),
            tuple(self.outputs),
            tuple(self.monoids),
            tuple(self.laws),
            tuple(self.formats),
            tuple(self.regions),
            tuple(self.hints),
            tuple(self.candidates),
            tuple(self.decisions),
            tuple(self.passed),
        )

    def line(self) -> None:
        """Read one declaration, node or decision, to the end of its line."""
        cursor = self.cursor
        match cursor.peek.text if cursor.peek.kind == "name" else cursor.peek.kind:
            case "ref":
                self.nodes.append(self._node())
            case "in" | "out" | "inout" as role:
                cursor.next()
                self.params.append(self._param(role))
            case "rank":
                cursor.next()
                self.ranks.append(self._rank())
            case "monoid":
                cursor.next()
                self.monoids.append(read_monoid(cursor))
            case _:
                self._decision()

    def _decision(self) -> None:
        cursor = self.cursor
        if cursor.accept("output"):
            self.outputs.append((cursor.name(), equals_ref(cursor)))
        elif cursor.accept("law"):
            self.laws.append(self._law())
        elif cursor.accept("format"):
            self.formats.append((cursor.ref(), self._colon_format()))
        elif cursor.accept("hint"):
            self.hints.append((cursor.name(), self._equals_integer()))
        elif cursor.accept("passed"):
            self.passed.append(cursor.name())
        elif cursor.accept("candidate"):
            self.candidates.append((cursor.ref(), self._colon_format()))
        elif cursor.accept("decision"):
            subject, chosen, reason = self._strings(3)
            self.decisions.append(Decision(subject, chosen, reason))
        elif cursor.accept("rejected"):
            self._rejected()
        elif cursor.accept("region"):
            self.regions.append(self._region())
            return
        else:
            cursor.expected("a declaration, a node or a decision")
        cursor.end_line()

    def _strings(self, count: int) -> list[str]:
        found = [self.cursor.string()]
        for _ in range(count - 1):
            self.cursor.expect(",")
            found.append(self.cursor.string())
        return found

    def _rejected(self) -> None:
        """A rejected candidate belongs to the decision above it."""
        what, why = self._strings(2)
        if not self.decisions:
            self.cursor.expected("a decision before what it rejects")
        last = self.decisions[-1]
        self.decisions[-1] = replace(last, rejected=(*last.rejected, (what, why)))

    # -------------------------------------------------------------------------------- declarations
    def _param(self, role: Role) -> Param:
        cursor = self.cursor
        name = cursor.name()
        cursor.expect(":")
        time = self._time()
        sparse, host = cursor.accept("sparse"), cursor.accept("host")
        dtype = self._dtype()
        shape = self._shape() or ()
        fill = cursor.number() if cursor.accept("fill") else 0.0
        like = cursor.name() if cursor.accept("like") else ""
        cap = cursor.integer() if cursor.accept("cap") else 0
        fmt = read_format(cursor) if cursor.accept("@") else None
        span = cursor.end_line()
        return Param(name, dtype, shape, role, time, sparse, fill, host, fmt, like, cap, span)

    def _time(self) -> Literal["static", "request", "step"]:
        if self.cursor.accept("static"):
            return "static"
        return "request" if self.cursor.accept("request") else "step"

    def _dtype(self) -> DType:
        token = self.cursor.kind("name", "an element type")
        if token.text not in BY_NAME:
            self.cursor.fail(UNKNOWN, f"no element type is called {token}", token)
        return BY_NAME[token.text]

    def _shape(self) -> tuple[Size, ...] | None:
        if not self.cursor.accept("["):
            return None
        return comma(self.cursor, "]", lambda: read_size(self.cursor))

    def _rank(self) -> Rank:
        cursor = self.cursor
        name = cursor.name()
        cursor.expect(":")
        lo = cursor.ref()
        cursor.expect("..")
        hi = cursor.ref()
        extent = read_size(cursor) if cursor.accept("extent") else None
        return Rank(name, lo, hi, extent, cursor.end_line())

    # --------------------------------------------------------------------------------------- nodes
    def _node(self) -> Node:
        cursor = self.cursor
        token = cursor.peek
        ident = cursor.ident()
        if ident in self._known:
            cursor.fail(TWICE, f"there are two nodes {token}", token)
        self._known.add(ident)
        cursor.expect(":")
        dtype = self._dtype()
        shape = self._shape()
        ranks = comma(cursor, "}", cursor.name) if cursor.accept("{") else ()
        cursor.expect("=")
        op = read_op(cursor)
        return Node(ident, op, dtype, ranks, shape, cursor.end_line())

    # ----------------------------------------------------------------------------------- decisions
    def _colon_format(self) -> Format:
        self.cursor.expect(":")
        return read_format(self.cursor)

    def _equals_integer(self) -> int:
        self.cursor.expect("=")
        return self.cursor.integer()

    def _law(self) -> Law:
        on = self.cursor.ref()
        self.cursor.expect("floor")
        return Law(on, self.cursor.ref(), read_refs(self.cursor))

    def _region(self) -> Region:
        cursor = self.cursor
        name, stores = cursor.name(), read_refs(cursor)
        cursor.end_line()
        lines: list[str] = []
        while cursor.peek.kind == "raw":
            lines.append(cursor.next().text.removeprefix("|").removeprefix(" "))
            cursor.end_line()
        schedule = self.schedule("\n".join(lines)) if lines else None
        return Region(name, stores, schedule)
