"""Any text at all is a program or makes diagnostics that point into it; nothing else comes out."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hastec.diag import Diagnostic, HasteError, Source
from hastec.front.build import check
from hastec.grammar.formatter import fmt
from hastec.grammar.parser import MAX_ERRORS, parse
from hastec.grammar.tokens import Token, scan
from hastec.ir.graph import Graph
from hastec.ir.read import read_graph
from hastec.ir.show import show_graph
from hastec.ir.verify import verify_graph

ROOT = Path(__file__).parents[2]
PATHS = sorted((*ROOT.glob("examples/*.haste"), *ROOT.glob("tests/errors/*.haste")))
TEXTS = [t for t in (p.read_text() for p in PATHS) if len(t) < 2000]
TOKENS = [list(scan(Source("", t)).tokens) for t in TEXTS]
BY_TYPE: dict[str, list[str]] = {}
for _token in (t for tokens in TOKENS for t in tokens):
    BY_TYPE.setdefault(_token.type, []).append(_token.text)
OTHER = {
    "NAME": ("NAME", "NAME", "NAME", "NUMBER"), "NUMBER": ("NAME", "NUMBER"),
    "KEEP": ("REDUCE", "KEEP"), "REDUCE": ("REDUCE", "KEEP", "NAME"), "AND": ("OR", "AND"),
    "PLUS": ("MINUS", "MULOP"), "MULOP": ("PLUS", "MINUS", "MULOP"), "IN": ("COMPARE",),
    "COMPARE": ("COMPARE", "IN"), "EQ": ("ASSIGN", "EQ"),
}  # fmt: skip


def outcome(text: str) -> tuple[Graph, ...]:
    """Build ``text`` and check what comes out, whichever of the two it is."""
    source = Source("any", text)
    try:
        graphs = check(source)
    except HasteError as error:
        assert 1 <= len(error.diagnostics) <= MAX_ERRORS
        for found in error.diagnostics:
            points_into(text, found)
        assert str(error)
        return ()
    for graph in graphs:
        verify_graph(graph)
    return graphs


def points_into(text: str, found: Diagnostic) -> None:
    assert found.help and found.code < "HST4"
    lines = text.split("\n")
    for span in (found.span, *(note.span for note in found.notes)):
        assert span is not None
        assert 1 <= span.line <= span.end_line <= len(lines)
        assert 1 <= span.column <= len(lines[span.line - 1]) + 1
        assert 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1


def mutated(rng: random.Random) -> str:
    """Return a program with a few tokens replaced, or groups and lines moved."""
    tokens = list(rng.choice(TOKENS))
    for _ in range(rng.choice((1, 1, 2, 2, 3, 4))):
        change = rng.choice((_replace, _replace, _replace, _move_group, _move_line))
        tokens = change(rng, tokens)
    return " ".join(t.text for t in tokens).replace("\n ", "\n")


def _replace(rng: random.Random, tokens: list[Token]) -> list[Token]:
    at = rng.randrange(len(tokens))
    kind = rng.choice(OTHER.get(tokens[at].type, (tokens[at].type,)))
    near = [t.text for t in tokens if t.type == kind]
    word = rng.choice(near if near and rng.random() < 0.8 else BY_TYPE[kind])
    return [*tokens[:at], tokens[at]._replace(text=word, type=kind), *tokens[at + 1 :]]


def _move_group(rng: random.Random, tokens: list[Token]) -> list[Token]:
    opened: list[int] = []
    groups: list[tuple[int, int]] = []
    for n, token in enumerate(tokens):
        if token.type in ("LPAR", "LSQB"):
            opened.append(n + 1)
        elif token.type in ("RPAR", "RSQB") and opened:
            groups.append((opened.pop(), n))
    if not groups:
        return tokens
    (to, stop), (start, end) = rng.choice(groups), rng.choice(groups)
    return [*tokens[:to], *tokens[start:end], *tokens[stop:]]


def _move_line(rng: random.Random, tokens: list[Token]) -> list[Token]:
    lines: list[list[Token]] = [[]]
    for token in tokens:
        lines[-1].append(token)
        if token.type == "NEWLINE":
            lines.append([])
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]
    return [t for line in lines for t in line]


@pytest.mark.parametrize("seed", range(8))
def test_mutated_programs(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(150):
        text = mutated(rng)
        graphs = outcome(text)
        assert all(read_graph(show_graph(g)) == g for g in graphs)
        if graphs:
            tidy = fmt(Source("any", text))
            assert fmt(Source("any", tidy)) == tidy
            assert parse(Source("any", tidy)) == parse(Source("any", text))


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=200))
def test_any_characters(text: str) -> None:
    outcome(text)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(sorted({t.text for ts in TOKENS for t in ts})), max_size=40))
def test_any_words(words: list[str]) -> None:
    outcome("kernel k(x: f32[N]) -> y: f32[N] {\n y[i] = " + " ".join(words) + "\n}")


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_cut_programs(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(TEXTS))
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, len(text)))
    outcome(text[:start] + text[stop:])


def test_long_programs_are_read_in_seconds() -> None:
    lines = "".join(f"y{n}[i] = x[i]\n" for n in range(4000))
    with pytest.raises(HasteError):
        check(Source("long", f"kernel k(x: f32[N]) -> y: f32[N] {{\n{lines}z = w }}"))


SMALL = """
import sys, time
from pathlib import Path
from hastec.diag import Source
from hastec.front.build import check
text = Path(sys.argv[1]).read_text()
start = time.process_time()
check(Source("long", text))
print(time.process_time() - start)
print([m for m in ("torch", "triton", "sympy", "numpy", "networkx") if m in sys.modules])
"""


def test_a_program_of_two_hundred_lines_is_checked_at_once(tmp_path: Path) -> None:
    """Half a second is promised, the parser's own start included, and no heavy library."""
    text = "".join(
        path.read_text().replace("haste 1", "") for path in ROOT.glob("examples/*.haste")
    )
    lines = (f"    t{n}[i] = softmax[i](x[i] + {n}) * sum[j < i + 1] x[j]\n" for n in range(100))
    text += f"kernel k(x: f32[N]) -> y: f32[N] {{\n{''.join(lines)}    y[i] = t99[i]\n}}\n"
    program = tmp_path / "long.haste"
    program.write_text("haste 1\n" + text)
    assert program.read_text().count("\n") >= 200
    command = [sys.executable, "-c", SMALL, str(program)]
    took, loaded = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.splitlines()
    assert float(took) < 0.5 * 2  # what else runs shares caches and clocks
    assert loaded == "[]"
