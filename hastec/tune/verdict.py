"""Whether a candidate's results are right.

Every candidate is compared, at the real sizes, with the graph interpreter at some coordinates, and
everywhere with the first candidate that passed. If two disagree, the interpreter decides at a
place where they do. Where results are exact nothing but equal bits is right; elsewhere they may
differ by what rounding explains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hastec.arrays import torch_module
from hastec.ir.graph import Node
from hastec.passes.bound import table_name
from hastec.run.compare import Tolerance, tolerance
from hastec.run.oracle import to_numpy
from hastec.tune.part import Part, stored_ranks
from hastec.tune.referee import Points, Referee

Results = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why results are wrong, "" if they are right. ``leader``: those compared with are the wrong
    ones instead.
    """

    reason: str = ""
    leader: bool = False


class Judge:
    """Judges results of one region; the first right ones lead."""

    def __init__(self, part: Part, referee: Referee, exact: bool, seed: int) -> None:
        self.part = part
        self.referee = referee
        self.allowed = {table_name(s): tolerance(part.graph, s.dtype, exact) for s in part.stores}
        self.points = referee.sample(seed)
        self.wanted = None if self.points is None else referee.values(self.points)
        self.leader: Results | None = None

    def judge(self, found: Results) -> Verdict:
        """Return whether results are right; if so, and none led before, they lead."""
        for store in self.part.stores:
            reason = self._sampled(store, found[table_name(store)])
            if reason:
                return Verdict(reason)
        if self.leader is None:
            self.leader = found
            return Verdict()
        return self._agrees(found, self.leader)

    def _sampled(self, store: Node, found: Any) -> str:
        if self.points is None or self.wanted is None:
            return ""
        name = table_name(store)
        got, wanted = _at(store, found, self.points), self.wanted[name]
        off = _off(got, wanted, self.allowed[name])
        if not off.any():
            return ""
        at = tuple(int(n) for n in np.argwhere(off)[0])
        where = _place(store, at, self.points)
        return f"{name}[{where}] is {got[at]:.9g} instead of {wanted[at]:.9g}"

    def _agrees(self, found: Results, leader: Results) -> Verdict:
        for store in self.part.stores:
            name = table_name(store)
            at = _first_apart(found[name], leader[name], self.allowed[name])
            if at is not None:
                return self._decide(store, at, found, leader)
        return Verdict()

    def _decide(self, store: Node, at: tuple[int, ...], found: Results, leader: Results) -> Verdict:
        """Say who is right where two results differ."""
        name = table_name(store)
        mine, other = float(found[name][at]), float(leader[name][at])
        said = f"{name}[{', '.join(map(str, at))}] is {mine:.9g}"
        points = {r: (n,) for r, n in _pairs(store, at) if self._known(r)}
        wanted = self.referee.values(points) if points or not at else None
        if wanted is None:
            return Verdict(f"{said}, where other schedules give {other:.9g}")
        right = wanted[name][tuple(0 if self._known(r) else n for r, n in _pairs(store, at))]
        most = max(
            float(_plain(x[name]).double().nan_to_num().abs().max()) for x in (found, leader)
        )
        if not _off(np.asarray(mine), np.asarray(right), self.allowed[name], most).any():
            return Verdict(f"{name}[{', '.join(map(str, at))}] is {other:.9g}", leader=True)
        return Verdict(f"{said} instead of {float(right):.9g}")

    def _known(self, rank: str) -> bool:
        """Whether a rank can be cut to single coordinates."""
        return self.points is not None and rank in self.points


def _pairs(store: Node, at: tuple[int, ...]) -> list[tuple[str, int]]:
    return list(zip(stored_ranks(store), at, strict=True))


def _at(store: Node, found: Any, points: Points) -> NDArray[np.float64]:
    """Return results at sampled coordinates."""
    torch = torch_module()
    for place, rank in enumerate(stored_ranks(store)):
        if rank in points:
            index = torch.tensor(points[rank], device=found.device)
            found = torch.index_select(found, place, index)
    return np.asarray(to_numpy(found), np.float64)


def _place(store: Node, at: tuple[int, ...], points: Points) -> str:
    return ", ".join(str(points[r][n]) if r in points else str(n) for r, n in _pairs(store, at))


def _off(
    got: NDArray[np.float64], wanted: NDArray[np.float64], allowed: Tolerance, most: float = 0.0
) -> NDArray[np.bool_]:
    """Return where numbers differ by more than is allowed, in a table that reaches ``most``."""
    finite = np.abs(wanted[np.isfinite(wanted)])
    most = max(most, float(finite.max())) if finite.size else most
    with np.errstate(invalid="ignore"):
        same = (got == wanted) | (np.isnan(got) & np.isnan(wanted))
        near = np.abs(got - wanted) <= allowed.own * np.abs(wanted) + allowed.whole * most
    off: NDArray[np.bool_] = ~(same | (near & np.isfinite(wanted)))
    return off


def _first_apart(found: Any, leader: Any, allowed: Tolerance) -> tuple[int, ...] | None:
    """Return the first place where two tensors differ by more than is allowed."""
    torch = torch_module()
    found, leader = _plain(found), _plain(leader)
    same = (found == leader) | (found.isnan() & leader.isnan())
    if allowed.own or allowed.whole:
        mine, other = found.double(), leader.double()
        size = torch.where(other.isfinite(), other.abs(), 0.0)
        most = size.max() if size.numel() else 0.0
        near = (mine - other).abs() <= 2 * (allowed.own * size + allowed.whole * most)
        same |= near & other.isfinite()
    if bool(same.all()):
        return None
    return tuple(int(n) for n in (~same).nonzero()[0])


def _plain(x: Any) -> Any:
    """Return a tensor in a type that every device compares."""
    return x if x.dtype.is_floating_point else x.to(torch_module().int64)
