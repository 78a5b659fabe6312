"""The reference page: its programs build and are formatted, its lists are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hastec.diag import Source
from hastec.front.build import check
from hastec.front.ready import Known
from hastec.grammar.formatter import fmt
from hastec.grammar.tokens import WORDS
from hastec.ir.scalars import SCALARS
from hastec.ir.verify import verify_graph

PAGE = (Path(__file__).parents[2] / "grammar" / "README.md").read_text()
FENCE = chr(96) * 3
PROGRAMS = re.findall(rf"{FENCE}haste\n(.*?){FENCE}", PAGE, re.DOTALL)
PROSE = re.sub(rf"{FENCE}.*?{FENCE}", "", PAGE, flags=re.DOTALL)
CODE = " ".join(re.findall(r"`([^`]+)`", PROSE))


@pytest.mark.parametrize("text", PROGRAMS, ids=range(len(PROGRAMS)))
def test_programs_of_the_page(text: str) -> None:
    for graph in check(Source("page", text)):
        verify_graph(graph)
    assert fmt(Source("page", text)) == f"haste 1\n\n{text}"


def test_there_are_programs() -> None:
    assert len(PROGRAMS) >= 8


@pytest.mark.parametrize("word", [*WORDS, *(n for n, f in SCALARS.items() if f.public)])
def test_words_of_the_language_are_listed(word: str) -> None:
    assert re.search(rf"\b{word}\b", CODE)


@pytest.mark.parametrize(
    "name", [*Known().levels, *Known().index, *(n for n in Known().values if n[:3] != "int")]
)
def test_levels_and_codes_are_listed(name: str) -> None:
    assert re.search(rf"\b{name}\b", CODE)
