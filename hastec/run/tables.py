"""Tables of a call: what was given, checked once, and on demand packed or spelled out.

Accepted are torch tensors (dense, or sparse in any of the five layouts), NumPy arrays, Python
numbers, SciPy sparse arrays, mappings of components and paths of matrix files. Each is either
taken and right, or refused with a TableError that names the table, the rule and the first place
that breaks it, before anything indexes with it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hastec.arrays import Array, duplicate, kind_of, torch_module
from hastec.ir.format import Format
from hastec.ir.graph import Param
from hastec.levels.adopt import adopt
from hastec.levels.assemble import Split, from_dense, pack, unpack
from hastec.levels.faults import TableError, fault
from hastec.levels.formats import bind_format
from hastec.levels.packed import Entries, Packed
from hastec.levels.protocol import Layout
from hastec.levels.recode import recoded
from hastec.levels.registry import Registry, default_registry
from hastec.levels.structure import alike
from hastec.run.components import Components
from hastec.run.files import read_table
from hastec.run.intake import scalar, tensor_of
from hastec.run.other_tables import from_mapping, from_scipy
from hastec.run.torch_tables import from_torch
from hastec.run.validate import (
    check_device,
    check_rank,
    check_shape,
    check_type,
    laid_out,
    meant,
    refuse,
    within_reach,
)
from hastec.sym.size import Size


@dataclass(frozen=True, slots=True, eq=False)
class TableValue:
    """A table of a call: dense in ``dense``; or sparse, packed as it was given or as entries.

    ``format`` is the format it was given in (None: dense, or entries out of order).
    """

    param: Param
    shape: tuple[int, ...]
    dense: Array | None = None
    packed: Packed | None = None
    loose: Entries | None = None
    format: Format | None = None

    def own(self) -> TableValue:
        """Return the table in memory of its own, if it is dense."""
        return self if self.dense is None else replace(self, dense=duplicate(self.dense))

    def entries(self) -> Entries:
        """Return the entries: of a dense table, what differs from the fill."""
        if self.loose is not None:
            return self.loose
        if self.packed is not None:
            return unpack(self.packed, {})
        assert self.dense is not None
        return from_dense(self.dense, self.param.fill)

    def in_layouts(
        self,
        layouts: tuple[Layout, ...],
        sizes: Mapping[str, int],
        budget: int | None = None,
        split: Split | None = None,
    ) -> Packed:
        """Return the table packed: as it is, if it was given in this very format.

        ``split`` says where two parts are joined at run time. Raises what
        :func:`hastec.levels.assemble.pack` raises.
        """
        if self.packed is not None and len(layouts) == len(self.packed.parts):
            pairs = zip(self.packed.parts, layouts, strict=True)
            if all(alike(part.layout, layout) for part, layout in pairs):
                return self.packed.under(layouts)
            found = recoded(self.packed, layouts, sizes)
            if found is not None:
                return found
        return pack(layouts, self.entries(), sizes, budget, split)


def take(
    param: Param,
    given: object,
    *,
    copy: bool = False,
    device: str | None = None,
    registry: Registry | None = None,
) -> TableValue:
    """Return what was given for ``param``, checked.

    ``copy`` allows what the short way allows: copies of tables that are not contiguous or not
    aligned, moves of host data to ``device``, integer tables of the other width. Raises TableError
    HST4001 … HST4021.
    """
    if isinstance(given, str | Path):
        given = read_table(param, Path(given))
    if isinstance(given, np.generic):
        given = given.item()
    if isinstance(given, bool | int | float) and not param.shape:
        return TableValue(param, (), scalar(param, given))
    found = _components(param, given)
    if found is not None:
        return _take_sparse(param, found, device, registry or default_registry())
    return _take_dense(param, given, copy, device)


def _components(param: Param, given: object) -> Components | None:
    """Return a sparse table's components; None if it is not sparse."""
    torch = torch_module()
    if isinstance(given, Components):
        return given
    if isinstance(given, torch.Tensor) and given.layout != torch.strided:
        return from_torch(param, given)
    if type(given).__module__.startswith("scipy.sparse"):
        return from_scipy(param, given)
    if isinstance(given, Mapping):
        return from_mapping(param, given)
    return None


def _take_dense(param: Param, given: object, copy: bool, device: str | None) -> TableValue:
    x = tensor_of(param, given, copy=copy)
    x = _of_width(param, x) if copy else x
    check_type(param, kind_of(x))
    check_rank(param, x.shape)
    if copy and device is not None and isinstance(given, np.ndarray) and not param.host:
        moved: Array = torch_module().Tensor.to(x, device)
        x = moved
    check_device(param, x, device)
    sound = laid_out(param, x, copy or packs(param))
    if not packs(param):
        sound = within_reach(param, sound, device, copy)
    return TableValue(param, tuple(x.shape), sound)


def packs(param: Param) -> bool:
    """Whether a dense tensor given for ``param`` is packed, and so may lie in any order."""
    return param.sparse or (param.format is not None and not param.format.dense)


def _of_width(param: Param, x: Array) -> Array:
    """Return an integer table in the declared width, if every element fits."""
    pair = {param.dtype.numpy, kind_of(x)}
    if pair != {"int32", "int64"}:
        return x
    torch = torch_module()
    made: Array = torch.Tensor.to(x, getattr(torch, param.dtype.numpy))
    if not bool(torch.equal(torch.Tensor.to(made, torch.int64), torch.Tensor.to(x, torch.int64))):
        rule = f"is declared {param.dtype} and holds a number past it"
        raise refuse(param, "HST4018", rule, f"declare it {kind_of(x)}")
    return made


def _take_sparse(
    param: Param, found: Components, device: str | None, registry: Registry
) -> TableValue:
    if not param.sparse and param.format is None:
        advice = "declare it sparse, or pass it dense: .to_dense()"
        raise refuse(param, "HST4001", f"is declared dense and was given as {found.kind}", advice)
    check_shape(param, found.shape)
    for arrays in found.arrays:
        for name, x in arrays.items():
            if name == "val" and found.format.parts[0].values.name == "raw":
                check_type(param, kind_of(x))
            check_device(param, x, device)
    shape = tuple(Size.of(n) for n in found.shape)
    layouts = bind_format(found.format, param.name, param.dtype, shape, registry, param.fill)
    try:
        packed, ascending = adopt(layouts, found.arrays, {}, found.labels)
    except TableError as error:
        raise placed(error, param) from None
    if ascending:
        return TableValue(param, found.shape, packed=packed, format=found.format)
    return TableValue(param, found.shape, loose=unpack(packed, {}))


def placed(error: TableError, param: Param) -> TableError:
    """Return an error that points at the declaration, where it points at nothing yet."""
    return TableError(*(replace(d, span=d.span or param.span) for d in error.diagnostics))


def checked_size(name: str, value: object, params: Sequence[Param]) -> int:
    """Return a size passed by name to a program with these tables. TableError HST4024 if it is no
    whole number: then a table was meant.
    """
    if isinstance(value, np.integer):
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        inputs = [p.name for p in params if p.role != "out"]
        near = meant(name, inputs)
        advice = f"did you mean '{near}'?" if near else f"its inputs are {', '.join(inputs)}"
        rule = "is no table of this kernel, and a size must be a whole number"
        raise fault("HST4024", name, rule, advice)
    return value
