"""Formats: how the coordinates and values of a table are stored.

A format is *structure x index code x value code x placement*. The structure maps dimensions to
levels (``i / c``, ``i % c`` …); level order is the nesting of coordinates: a level's coordinates
are shared by everything below it. Placement is the order in which positions lie in memory and is
kept apart, so that a sliced ELL is nested ``i/c, i%c, j`` and stored ``i/c, j, i%c``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Scalar: TypeAlias = int | str


@dataclass(frozen=True, slots=True)
class Coord:
    """The coordinate a level stores: a dimension, its quotient or its remainder by a constant."""

    dim: str
    op: Literal["", "/", "%"] = ""
    by: int = 1

    def __str__(self) -> str:
        return f"{self.dim} {self.op} {self.by}" if self.op else self.dim


@dataclass(frozen=True, slots=True)
class LevelSpec:
    """A level by name: what kind it is, which coordinate it stores, its options as written."""

    kind: str
    coord: Coord
    options: tuple[tuple[str, Scalar | Coord], ...] = ()

    def option(self, name: str) -> Scalar | Coord | None:
        """Return the option called ``name``, if it was given."""
        return dict(self.options).get(name)

    def number(self, name: str, default: int) -> int:
        """Return an integer option, or ``default`` if it was not given."""
        value = self.option(name)
        return value if isinstance(value, int) else default

    def __str__(self) -> str:
        opts = ", ".join(f"{k} = {v}" for k, v in self.options)
        return f"{self.kind}({self.coord}{'; ' + opts if opts else ''})"


@dataclass(frozen=True, slots=True)
class CodeSpec:
    """A value or index code by name, with its options: ``int4(group = 16)``, ``u16``."""

    name: str
    options: tuple[tuple[str, int], ...] = ()

    def option(self, name: str, default: int) -> int:
        """Return the option called ``name``, or ``default``."""
        return dict(self.options).get(name, default)

    def __str__(self) -> str:
        opts = ", ".join(f"{k} = {v}" for k, v in self.options)
        return f"{self.name}({opts})" if opts else self.name


RAW = CodeSpec("raw")


@dataclass(frozen=True, slots=True)
class Digit:
    """One digit of a storage order: ``ordinal of level // div % extent``.

    ``level`` counts levels from the outermost. ``extent`` 0 means "the rest": the size of a dense
    level, or the run-time length of a fibre, to which the start of that fibre is added.
    """

    level: int
    div: int = 1
    extent: int = 0

    def __str__(self) -> str:
        tail = f" % {self.extent}" if self.extent else ""
        return f"{self.level}" + (f" / {self.div}" if self.div > 1 else "") + tail


@dataclass(frozen=True, slots=True)
class Part:
    """One self-contained layout: levels outermost first, codes, and the order in memory.

    ``order`` lists digits outermost first; empty means the levels' own order.
    """

    levels: tuple[LevelSpec, ...]
    values: CodeSpec = RAW
    index: CodeSpec = CodeSpec("i32")
    order: tuple[Digit, ...] = ()

    def __str__(self) -> str:
        text = ", ".join(str(level) for level in self.levels)
        if self.values != RAW:
            text += f" values {self.values}"
        if self.index != CodeSpec("i32"):
            text += f" index {self.index}"
        if self.order:
            text += " order [" + ", ".join(str(d) for d in self.order) + "]"
        return text


@dataclass(frozen=True, slots=True)
class Cut:
    """A join at run time: ``first`` where ``dim < bound``, else ``second``. ``bound`` is a size
    name or the name of a scalar input.
    """

    dim: str
    bound: str


@dataclass(frozen=True, slots=True)
class Format:
    """A complete format of a table with dimensions ``dims``.

    One part; or a *sum* of parts (an entry lies in the first part with room); or, with ``cut``,
    two parts joined at a run-time coordinate.
    """

    name: str
    dims: tuple[str, ...]
    parts: tuple[Part, ...]
    cut: Cut | None = None
    arguments: tuple[tuple[str, int], ...] = field(default=())

    @property
    def only(self) -> Part:
        """The single part (ValueError if there are several)."""
        (part,) = self.parts
        return part

    @property
    def dense(self) -> bool:
        """True if nothing is left out and values are stored as they are, in order."""
        return len(self.parts) == 1 and all(level.kind == "dense" for level in self.only.levels)

    def __str__(self) -> str:
        shown = [str(part) for part in self.parts]
        if self.cut:
            body = f"({shown[0]}) if {self.cut.dim} < {self.cut.bound} else ({shown[1]})"
        else:
            body = " + ".join(shown) if len(shown) == 1 else " + ".join(f"({s})" for s in shown)
        return f"{self.name}({', '.join(self.dims)}) = {body}"
