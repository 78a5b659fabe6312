"""The registry of diagnostic codes: what each means, for ``hastec explain``-like commands.

HST0 text and syntax, HST1 names and indices, HST2 types and shapes, HST3 formats and adjectives,
HST4 tables at run time, HST5 lowering and backends, HST6 environment, cache, tuning and commands,
HST7 printed IR. Each area keeps its table in a module of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hastec.diag import (
    codes_environment,
    codes_graph,
    codes_kernel,
    codes_program,
    codes_tables,
)


@dataclass(frozen=True, slots=True)
class Code:
    """One code: a title of a few words and a paragraph that explains it."""

    code: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.code}: {self.title}\n\n{self.text}\n"


def _collect(*tables: tuple[tuple[str, str, str], ...]) -> Mapping[str, Code]:
    rows = sorted(row for table in tables for row in table)
    return MappingProxyType({code: Code(code, title, text) for code, title, text in rows})


CODES: Mapping[str, Code] = _collect(
    codes_environment.TABLE,
    codes_graph.TABLE,
    codes_kernel.TABLE,
    codes_program.TABLE,
    codes_tables.TABLE,
)
