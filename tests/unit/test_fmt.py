"""The formatter: fixed points, comments, groups, and what it does to untidy text."""

from __future__ import annotations

from pathlib import Path

import pytest

from hastec.diag import HasteError, Source
from hastec.grammar.formatter import fmt
from hastec.grammar.parser import parse

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "examples").glob("*.haste"))


def tidy(text: str) -> str:
    return fmt(Source("test", text))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_examples_are_formatted(path: Path) -> None:
    assert fmt(Source(path.name, path.read_text())) == path.read_text()


UNTIDY = """

# A remark on top.
haste   1
fn  cap(x;c)=c*tanh( x/c )# clamped
fn neg(x)=sum[k]-x [k]+ - 1


pattern p( i,j )=i-j in  -2..2 and(i<j or not j==0)
format tail(l,d;c)=(dense(l),bitmap(d))if l<c else(dense(l),dense(d)values int4( g=16 ))
monoid m(x){
one p=-x,h=x
    none p=0,h=0
 merge p=a.p+b.p,h=b.h
give -p }
kernel k( W:sparse(fill=inf)f32[M,K],# weights
  b:host f16[ M ]@csr index u16 ) ->y:f32[M] like W{ T=topk[k](W[m,k];k=2,always k==0)

   # inside

   y[m]=sum[k in T]W[m,k]*
     # the factor
     b[m] for m<3
}
schedule k{tile(m=64,n=16)
split(4)}
"""

TIDY = """\
# A remark on top.
haste 1
fn cap(x; c) = c * tanh(x / c)  # clamped
fn neg(x) = sum[k] -x[k] + -1

pattern p(i, j) = i - j in -2 .. 2 and (i < j or not j == 0)
format tail(l, d; c) = (dense(l), bitmap(d)) if l < c else (dense(l), dense(d) values int4(g = 16))
monoid m(x) {
    one   p = -x, h = x
    none  p = 0, h = 0
    merge p = a.p + b.p, h = b.h
    give  -p
}
kernel k(W: sparse(fill = inf) f32[M, K],  # weights
    b: host f16[M] @ csr index u16) -> y: f32[M] like W {
    T = topk[k](W[m, k]; k = 2, always k == 0)

    # inside

    y[m] = sum[k in T] W[m, k] *
        # the factor
        b[m]  for m < 3
}
schedule k {
    tile(m = 64, n = 16)
    split(4)
}
"""


def test_untidy_text() -> None:
    assert tidy(UNTIDY) == TIDY
    assert tidy(TIDY) == TIDY


def test_the_version_line_is_added() -> None:
    assert tidy("fn f(x) = x") == "haste 1\n\nfn f(x) = x\n"
    assert tidy("") == "haste 1\n"


def body(*lines: str) -> str:
    inside = "".join(f"    {line}\n" if line else "\n" for line in lines)
    return f"haste 1\n\nkernel k(x: f32[N]) -> y: f32[N] {{\n{inside}}}\n"


def test_columns_stay_columns() -> None:
    text = body("a      = 1", "bb     = 2", "ccc[i] = 3  # c", "", "d = 4  # d", "ee = 5")
    assert tidy(text) == text


def test_a_column_follows_its_widest_line() -> None:
    assert tidy(body("a  = 1", "b  = 2")) == body("a = 1", "b = 2")
    assert tidy(body("aa   = 1", "b[i] = 2")) == body("aa   = 1", "b[i] = 2")
    assert tidy(body("aa  = 1", "b[i] = 2")) == body("aa = 1", "b[i] = 2")


def test_remarks_stay_in_their_column() -> None:
    text = body("a = 1    # one", "bb = 22  # two")
    assert tidy(text) == text


def test_empty_lines_are_one_and_inside() -> None:
    assert tidy(body("", "", "a = 1", "", "", "", "b = 2", "", "")) == body("a = 1", "", "b = 2")


def test_what_does_not_parse_is_reported() -> None:
    with pytest.raises(HasteError):
        tidy("fn f(x) = ")


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda p: p.stem)
def test_meaning_is_kept_whatever_the_spaces(path: Path) -> None:
    text = "".join(line for line in path.open() if not line.startswith("#"))
    squeezed = "\n".join(" ".join(line.split()) for line in text.splitlines())
    spread = text.replace(",", " , \n").replace("(", "( ").replace("]", " ]")
    for other in (squeezed, spread):
        assert parse(Source("t", tidy(other))) == parse(Source("t", text))
        assert tidy(tidy(other)) == tidy(other)
