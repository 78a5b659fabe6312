"""Runs a bound program: a call checks what it is given, allocates outputs and launches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hastec.arrays import Array
from hastec.contracts import Launcher
from hastec.ir.arith import I32_MAX, NARROW_SIZE
from hastec.ir.graph import Graph, Param
from hastec.ir.kernel import Kernel
from hastec.levels.protocol import Layout
from hastec.run.again import Again, Launch, Memory, steps
from hastec.run.indices import IndexChecks
from hastec.run.marks import Mark, mark_of
from hastec.run.outputs import Output, allocate, makers, returned
from hastec.run.scratch import Scratch
from hastec.run.sizes import solve_sizes
from hastec.run.tables import TableValue, checked_size, take
from hastec.run.validate import refuse, within_reach_all


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A kernel that can be launched: which arrays and sizes it takes, and its grid."""

    kernel: Kernel
    launcher: Launcher
    source: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    scratch: Scratch = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "scratch", Scratch(self.kernel))

    def fits(self, sizes: Mapping[str, int], wide: bool) -> bool:
        """Whether this kernel may run at these sizes (``wide``: some offset needs 64 bits)."""
        if wide and not self.kernel.wide:
            return False
        return all(r.holds(sizes) for r in self.kernel.requires)

    def launch(self, arrays: Mapping[str, Array], sizes: Mapping[str, int], device: str) -> None:
        """Run the kernel over its grid; nothing to do if a grid digit takes no value."""
        launch = self.launch_at(sizes)
        if launch is not None:
            own = {n: make() for n, make in self.scratch.makers(sizes, device)}
            mine = [own[n] if n in own else arrays[n] for n in launch.names]
            launch.launcher(mine, launch.sizes, launch.grid)

    def launch_at(self, sizes: Mapping[str, int]) -> Launch | None:
        """Return the launch at some sizes; None if a grid digit takes no value."""
        grid = tuple(size.evaluate(sizes) for _, size in self.kernel.grid)
        names = tuple(t.name for t in self.kernel.tables)
        numbers = tuple(sizes[s] for s in self.kernel.sizes)
        return Launch(self.launcher, names, numbers, grid) if all(grid) else None


@dataclass(slots=True, eq=False)
class Step:
    """One region: kernels for it, the most special first, and how to get one that fits."""

    name: str
    kernels: list[Ready]
    widen: Callable[[Mapping[str, int], bool], Ready]

    def ready(self, sizes: Mapping[str, int], wide: bool) -> Ready:
        """Return the first kernel that may run at ``sizes``; made on the spot if none may."""
        for kernel in self.kernels:
            if kernel.fits(sizes, wide):
                return kernel
        made = self.widen(sizes, wide)
        self.kernels.append(made)
        return made


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """A table as kernels take it, and the mark by which it is known again."""

    mark: Mark | None
    arrays: Mapping[str, Array]
    numbers: Mapping[str, int]
    value: TableValue


@dataclass(slots=True, eq=False)
class Runner:
    """A bound program. Calling it launches; nothing is chosen, compiled or tuned then.

    ``inputs`` are the tables a call gives; ``layouts`` those of sparse ones among them.
    ``arrays`` and ``numbers`` are those of bound tables, ``sizes`` what they tell, ``indices``
    those among them that are used as subscripts. With ``copy`` a call may copy or convert what
    does not fit as it is.
    """

    graph: Graph
    steps: tuple[Step, ...]
    outputs: tuple[Output, ...]
    inputs: tuple[Param, ...]
    layouts: Mapping[str, tuple[Layout, ...]]
    arrays: Mapping[str, Array]
    numbers: Mapping[str, int]
    sizes: Mapping[str, int]
    device: str
    checks: IndexChecks
    indices: Mapping[str, TableValue] = field(default_factory=dict)
    copy: bool = False
    known: dict[str, Taken] = field(default_factory=dict)
    memory: Memory = field(init=False)

    def __post_init__(self) -> None:
        kept = {*self.layouts, *self.checks.tables}
        plain = all(p.name not in kept for p in self.inputs)
        always = self.checks.mode == "always" and bool(self.checks.checks)
        sparse = any(o.layout is not None for o in self.outputs)
        able = plain and not always and not sparse
        self.memory = Memory(self.inputs, self.device, able)

    def __call__(self, **given: object) -> Any:
        """Run the program on the tables given by name; return its output, or a tuple of several.

        Sizes that no table shows are passed by name too. Raises TableError for a table that is
        missing, of another type, shape or device, or not contiguous. On a GPU this enqueues work
        on the current stream and returns.
        """
        return self.call(given)

    def call(self, given: Mapping[str, Any]) -> Any:
        """Run the program on the tables and sizes given by name."""
        last = self.memory.last
        if last is not None and last.fits(given):
            return last.run(given)
        again = self.memory.again(given)
        if again is not None:
            return again.run(given)
        arrays, sizes = self.taken(given)
        arrays.update(allocate(self.outputs, sizes, arrays, self.device))
        wide = needs_wide(arrays, sizes)
        kernels = [step.ready(sizes, wide) for step in self.steps]
        for kernel in kernels:
            kernel.launch(arrays, sizes, self.device)
        key = self.memory.key(given)
        if key is not None:
            self.memory.remember(key, self._again(kernels, sizes, given))
        return returned(self.outputs, arrays, sizes)

    def _again(
        self, kernels: list[Ready], sizes: Mapping[str, int], given: Mapping[str, Any]
    ) -> Again:
        """Return what calls like this one have in common."""
        ready = [(k, x) for k in kernels if (x := k.launch_at(sizes)) is not None]
        own = (m for k, _ in ready for m in k.scratch.makers(sizes, self.device))
        made = (*makers(self.outputs, sizes, self.device), *own)
        plain = self.memory.plain
        order = [*self.arrays, *(p.array for p in plain), *(n for n, _ in made)]
        places = {n: at for at, n in enumerate(order)}
        names = self.memory.names
        return Again(
            self.memory.likes(given),
            tuple(p.name for p in plain),
            tuple((n, x) for n, x in given.items() if n not in names),
            tuple(self.arrays.values()),
            tuple(steps((x for _, x in ready), places)),
            tuple(make for _, make in made),
            tuple(places[o.array] for o in self.outputs if o.public),
        )

    def taken(self, given: Mapping[str, object]) -> tuple[dict[str, Array], dict[str, int]]:
        """Return the arrays and sizes of a call, checked."""
        arrays, numbers = dict(self.arrays), dict(self.numbers)
        names = {p.name for p in self.inputs}
        named = {n: self._size(n, value) for n, value in given.items() if n not in names}
        found = [self._take(param, given) for param in self.inputs]
        shapes = {t.value.param.name: t.value.shape for t in found}
        sizes = solve_sizes(self.graph.params, shapes, named, self.sizes)
        for taken in found:
            arrays.update(taken.arrays)
            numbers.update(taken.numbers)
        given_now = {t.value.param.name: t.value for t in found}
        self.checks.run({**self.indices, **given_now}, sizes)
        return arrays, {**sizes, **numbers}

    def _size(self, name: str, value: object) -> int:
        """Return a size passed by name."""
        bound = next((p for p in self.graph.params if p.name == name), None)
        if bound is None:
            return checked_size(name, value, self.graph.params)
        if bound.role == "out":
            raise refuse(bound, "HST4024", "is an output and was passed", "leave it out")
        raise refuse(bound, "HST4024", "was bound, and is passed again", "leave it out")

    def _take(self, param: Param, given: Mapping[str, object]) -> Taken:
        if param.name not in given:
            rule = "is an input and was not passed"
            raise refuse(param, "HST4024", rule, f"pass {param.name} = …")
        value = given[param.name]
        if param.name not in self.layouts and param.name not in self.checks.tables:
            return self._fresh(param, value, None)
        # Packing a sparse table or checking indices reads them: once, while they stay the same.
        known = self.known.get(param.name)
        if known is not None and known.mark is not None and known.mark.holds(value):
            return known
        taken = self.known[param.name] = self._fresh(param, value, mark_of(value))
        return taken

    def _fresh(self, param: Param, given: object, mark: Mark | None) -> Taken:
        value = take(param, given, copy=self.copy, device=self.device)
        layouts = self.layouts.get(param.name)
        if layouts is None and value.dense is not None:
            return Taken(mark, {f"{param.name}.val": value.dense}, {}, value)
        if layouts is None:
            rule = "was planned dense and was given sparse"
            raise refuse(param, "HST4001", rule, "pass a dense tensor, or bind it first")
        shape = solve_sizes((param,), {param.name: value.shape}, {})
        packed = value.in_layouts(layouts, shape)
        arrays = within_reach_all(param, packed.named(), self.device)
        return Taken(mark, arrays, packed.sizes(), value)


def needs_wide(arrays: Mapping[str, Array], sizes: Mapping[str, int]) -> bool:
    """Whether an offset into one of the arrays may need 64 bits."""
    if any(v > NARROW_SIZE for v in sizes.values()):
        return True
    return any(_numel(x) > I32_MAX for x in arrays.values())


def _numel(x: Array) -> int:
    total = 1
    for extent in x.shape:
        total *= extent
    return total
