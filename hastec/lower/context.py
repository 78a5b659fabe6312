"""Where lowering stands: the builder, coordinates of placed ranks, masks and values so far."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from hastec.ir.builder import Builder
from hastec.ir.define import Loop
from hastec.ir.graph import Access, NodeId, Present
from hastec.ir.index import Form
from hastec.ir.kernel import Value
from hastec.ir.schedule import Schedule
from hastec.levels.protocol import Cursor
from hastec.lower.work import Work
from hastec.sym.size import Size


@dataclass(slots=True)
class Path:
    """A table being iterated: how far its levels are placed, and what is known of the position.

    ``stored``: a value may be read (where the cursor's own mask holds). ``present``: an entry.
    """

    cursor: Cursor
    access: NodeId
    level: int = 0
    stored: Value | None = None
    present: Value | None = None
    coords: dict[int, Form] = field(default_factory=dict)
    """Coordinates of the levels placed so far."""

    def copy(self) -> Path:
        """Return a path that can be moved on without moving this one."""
        return Path(
            self.cursor.copy(),
            self.access,
            self.level,
            self.stored,
            self.present,
            dict(self.coords),
        )


@dataclass(slots=True)
class Context:
    """The mutable state of one lowering; a nest saves and restores what it placed."""

    work: Work
    schedule: Schedule
    k: Builder
    coords: dict[str, Form] = field(default_factory=dict)
    inside: dict[str, tuple[Value, ...]] = field(default_factory=dict)
    """Masks of each placed rank: the index is in range where all of them hold."""
    paths: dict[Hashable, Path] = field(default_factory=dict)
    conditions: tuple[Value, ...] = ()
    memo: dict[Hashable, tuple[object, frozenset[str]]] = field(default_factory=dict)
    grid: tuple[tuple[str, Size], ...] = ()
    """The digits that programs differ in, with their numbers of values."""
    rest: ExitStack = field(default_factory=ExitStack)
    """What is open until the kernel ends."""
    inner: int = 0
    """How many nests are open."""
    part: dict[NodeId, int] = field(default_factory=dict)
    """Which part of a summed format a leading access iterates now."""

    @contextmanager
    def nested(self, ranks: Iterable[str]) -> Iterator[None]:
        """Place ``ranks`` anew inside; on leaving, forget them and what varies over them.

        If they are placed already (a reduction inside another over the same index), the outer
        coordinates are hidden meanwhile.
        """
        gone = frozenset(ranks)
        saved = dict(self.coords), dict(self.inside), self.conditions
        paths = {key: path.copy() for key, path in self.paths.items()}
        hidden = {key: m for key, m in self.memo.items() if m[1] & gone}
        self._hide(gone)
        self.inner += 1
        yield
        self.inner -= 1
        self.coords, self.inside, self.conditions = saved
        self.paths = paths
        self.memo = {key: m for key, m in self.memo.items() if not m[1] & gone} | hidden

    def _hide(self, ranks: frozenset[str]) -> None:
        for rank in ranks & set(self.coords):
            del self.coords[rank], self.inside[rank]
            self.paths = {
                key: path
                for key, path in self.paths.items()
                if rank not in self.work.nodes[path.access].ranks
            }
        self.memo = {key: m for key, m in self.memo.items() if not m[1] & ranks}

    @contextmanager
    def parts(self, choice: Iterable[tuple[NodeId, int]]) -> Iterator[None]:
        """Iterate these parts of tables, by the accesses that lead through them, meanwhile."""
        saved = self.part
        self.part = {**saved, **dict(choice)}
        yield
        self.part = saved

    @contextmanager
    def under(self, condition: Value | None) -> Iterator[None]:
        """Evaluate what lies behind a condition."""
        saved = self.conditions
        if condition is not None:
            self.conditions = (*saved, condition)
        yield
        self.conditions = saved

    def key_of(self, access: NodeId) -> Hashable:
        """Return what identifies a table's entry: the table and the subscripts."""
        op = self.work.nodes[access].op
        assert isinstance(op, Access | Present)
        return op.table, op.subs

    def mask(self, ranks: Iterable[str], digits: Iterable[str] | None = None) -> Value | None:
        """Return the conjunction of the range masks of ``ranks``.

        With ``digits``, masks that vary over none of them are left out: whoever reads at an index
        that does not vary there reads something that exists.
        """
        return self.k.conj(self.masks(ranks, digits))

    def masks(self, ranks: Iterable[str], digits: Iterable[str] | None = None) -> tuple[Value, ...]:
        """Return the parts of :meth:`mask`."""
        found = dict.fromkeys(m for r in ranks for m in self.inside.get(r, ()))
        if digits is None:
            return tuple(found)
        kept = set(digits)
        return tuple(m for m in found if not m.digits or set(m.digits) & kept)

    def remember(self, key: Hashable, value: object, ranks: Iterable[str]) -> None:
        """Keep a result until one of ``ranks`` is left."""
        self.memo[key] = value, frozenset(ranks)

    def recall(self, key: Hashable) -> object | None:
        """Return a result kept under ``key``, if what it is made of is still defined here."""
        found = self.memo.get(key)
        if found is None or not all(self.k.visible(v) for v in _values(self.k, found[0])):
            return None
        return found[0]

    def known(self) -> set[NodeId]:
        """Return the reductions whose results are at hand."""
        return {key for key in self.memo if isinstance(key, int) and self.recall(key) is not None}


def _values(k: Builder, result: object) -> Iterator[Value]:
    """Yield the values a remembered result is made of."""
    match result:
        case Value():
            yield result
        case tuple():
            for part in result:
                yield from _values(k, part)
        case Cursor():
            yield from result.masks
            yield from (bits.word for bits, _ in result.bits)
            for forms in (result.ordinals, result.starts, result.replaced):
                for form in forms.values():
                    yield from (k.values[v] for v, _ in form.terms)
        case _:
            pass


@dataclass(slots=True)
class Nest:
    """The loops of one nest that are open, outermost first, and the ranks placed in it."""

    ranks: list[str] = field(default_factory=list)
    loops: list[Loop] = field(default_factory=list)
    tile: dict[str, None] = field(default_factory=dict)
    """Digits (thread, register, block) the nest's ranks are spread over."""
    replay: bool = False
    """Whether what is placed was placed before, in loops that are still open."""
