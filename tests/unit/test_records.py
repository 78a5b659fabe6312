"""Tuning records and the lock file: round trips, strict reading, choosing."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hastec.diag import HasteError
from hastec.tune.choose import best, nearest, octaves, tried
from hastec.tune.lock import Choice, Lock, parse_lock, read_lock, show_lock, write_lock
from hastec.tune.records import Pairs, Record, Sizes, Status, append, decode, encode, read

OK = Record(
    "k", "p", (("K", 64), ("M", 8)), "tile m 64", "triton", "H100", Status.OK, 0.5, 20, 0.01
)
FAILED = replace(OK, status=Status.FAILED, ms=None, n=0, iqr=None, reason="out of registers")

texts = st.text(max_size=20)
records = st.builds(
    Record,
    key=texts,
    program=texts,
    sizes=st.dictionaries(texts, st.integers(0, 2**63 - 1), max_size=3).map(
        lambda d: tuple(sorted(d.items()))
    ),
    schedule=texts,
    backend=texts,
    device=texts,
    status=st.just(Status.OK),
    ms=st.floats(0, 1e17),
    n=st.integers(1, 1000),
    iqr=st.floats(0, 1e17),
    reason=texts,
    versions=st.dictionaries(texts, texts, max_size=3).map(lambda d: tuple(sorted(d.items()))),
)


@given(records)
def test_a_record_comes_back(record: Record) -> None:
    line = encode(record)
    assert "\n" not in line and decode(line) == record


def test_the_form_of_a_line() -> None:
    assert encode(FAILED) == (
        '{"backend":"triton","device":"H100","iqr":null,"key":"k","ms":null,"n":0,"program":"p",'
        '"reason":"out of registers","schedule":"tile m 64","sizes":{"K":64,"M":8},'
        '"status":"failed","versions":{}}'
    )


def changed(**values: object) -> str:
    return json.dumps({**json.loads(encode(OK)), **values})


BAD = {
    "no JSON": "{",
    "deep": "[" * 100_000,
    "long number": '{"n": ' + "9" * 5000 + "}",
    "a list": "[]",
    "a field more": changed(more=1),
    "a field less": "{}",
    "status unknown": changed(status="fine"),
    "status a number": changed(status=1),
    "time a text": changed(ms="1"),
    "time a flag": changed(ms=True),
    "time negative": changed(ms=-1.0),
    "time not a number": changed(ms=float("nan")),
    "time without end": changed(iqr=float("inf")),
    "time missing": changed(ms=None),
    "time of a failure": changed(status="failed"),
    "runs none": changed(n=0),
    "runs a fraction": changed(n=1.5),
    "runs too many": changed(n=2**63),
    "sizes a list": changed(sizes=[1]),
    "size a text": changed(sizes={"M": "8"}),
    "size negative": changed(sizes={"M": -8}),
    "versions of numbers": changed(versions={"triton": 3}),
    "key a number": changed(key=1),
}


@pytest.mark.parametrize("kind", BAD)
def test_anything_else_is_no_record(kind: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        decode(BAD[kind])


@given(st.text() | st.binary().map(lambda b: b.decode("latin-1")))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        decode(text)
    except ValueError:
        return
    raise AssertionError("a random text is no record")


def test_bad_lines_are_skipped_with_one_warning(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(
        encode(OK).encode() + b"\n\n{}\n\xff\xfe\n" + b"x" * (3 << 20) + b"\n" + b"[1]\n"
    )
    assert append(path, [FAILED]) is None
    log = read(path)
    assert log.records == (OK, FAILED)
    (warning,) = log.warnings
    assert (warning.code, warning.severity) == ("HST6201", "warning")
    assert "lines are no tuning record and skipped; line 3: not an object of" in warning.message


def test_a_torn_line_does_not_spoil_the_next(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    append(path, [OK, OK])
    os.truncate(path, path.stat().st_size - 10)
    append(path, [FAILED])
    log = read(path)
    assert log.records == (OK, FAILED) and len(log.warnings) == 1
    assert "1 line is no tuning record and skipped; line 2" in log.warnings[0].message


def test_no_file_is_no_records_and_an_unusable_one_a_warning(tmp_path: Path) -> None:
    assert read(tmp_path / "none").records == () and read(tmp_path / "none").warnings == ()
    assert [w.code for w in read(tmp_path).warnings] == ["HST6201"]
    warning = append(tmp_path, [OK])
    assert warning is not None and warning.code == "HST6202"
    assert append(tmp_path, []) is None


def _append_many(path: str, name: str) -> None:
    for n in range(50):
        append(Path(path), [replace(OK, key=f"{name}{n}", reason="x" * 500)])


def test_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    path = str(tmp_path / "records.jsonl")
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(path, name)) for name in "ab"]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    log = read(Path(path))
    assert len(log.records) == 100 and log.warnings == ()


def test_files_merge_by_concatenation(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    append(a, [OK])
    append(b, [FAILED])
    (tmp_path / "both").write_bytes(a.read_bytes() + b.read_bytes())
    assert read(tmp_path / "both").records == (OK, FAILED)


def timed(
    schedule: str,
    ms: float,
    key: str = "k",
    program: str = "p",
    sizes: Sizes = OK.sizes,
    versions: Pairs = (),
) -> Record:
    found = replace(OK, key=key, program=program, sizes=sizes, versions=versions)
    return replace(found, schedule=schedule, ms=ms)


def test_the_best_is_the_fastest_that_is_right() -> None:
    wrong = replace(FAILED, schedule="c", status=Status.WRONG)
    log = [timed("a", 3), timed("b", 2), wrong, timed("c", 1), timed("b", 4), FAILED]
    found = best(log, "k", "triton", "H100")
    assert found is not None and (found.schedule, found.ms) == ("a", 3)
    assert best(reversed(log), "k", "triton", "H100") == timed("b", 2)
    assert best(log, "k", "triton", "H200") is None
    assert best([FAILED], "k", "triton", "H100") is None
    assert tried(log, "k", "triton", "H100") == {"a", "b", "c", "tile m 64"}


def test_equal_times_are_settled_by_the_text() -> None:
    log = [timed("b", 1), timed("a", 1)]
    found = best(log, "k", "triton", "H100")
    assert found is not None and found.schedule == "a"


def test_versions_can_be_asked_for() -> None:
    new = timed("b", 2, versions=(("triton", "3.6"),))
    log = [timed("a", 1), new]
    assert best(log, "k", "triton", "H100", new.versions) == new
    assert tried(log, "k", "triton", "H100", ()) == {"a"}


def test_the_nearest_sizes() -> None:
    near = timed("n", 2, key="near", sizes=(("K", 64), ("M", 16)))
    far = timed("f", 1, key="far", sizes=(("K", 64), ("M", 1024)))
    other = timed("o", 1, key="other", program="q", sizes=(("K", 64), ("M", 15)))
    wanted = (("K", 64), ("M", 12))
    found = nearest([far, near, other], "p", wanted, "triton", "H100")
    assert found is not None and found[0] == near and 0.4 < found[1] < 0.5
    assert nearest([far, near], "p", (("K", 64),), "triton", "H100") is None
    turned = nearest([far, near], "p", wanted, "triton", "H100", lambda a, b: -dict(a)["M"])
    assert turned == (far, -1024)


def test_octaves() -> None:
    assert octaves((("M", 8), ("N", 1)), (("M", 32), ("N", 0))) == 2
    assert octaves((("M", 8),), (("N", 8),)) is None


A = Choice("linear", "r0", "H100", "triton", "key a", "tile m 64\n  split 2")
B = Choice("attend", "r1", "H100", "triton", "key b", "")
TEXT = """\
# The choices of tuning. `hastec tune` writes this file; commit it with the program.
format = 1

[[choice]]
kernel = "attend"
region = "r1"
device = "H100"
backend = "triton"
key = "key b"
schedule = [
  "",
]

[[choice]]
kernel = "linear"
region = "r0"
device = "H100"
backend = "triton"
key = "key a"
schedule = [
  "tile m 64",
  "  split 2",
]
"""


def test_the_text_of_a_lock() -> None:
    assert show_lock(Lock().pin(A).pin(B)) == TEXT == show_lock(Lock((A, B)))
    assert parse_lock(TEXT, "haste.lock") == Lock((B, A))


@given(st.lists(st.builds(Choice, *[texts] * 6), max_size=4, unique_by=lambda c: c.problem))
def test_a_lock_comes_back(choices: list[Choice]) -> None:
    lock = Lock(tuple(sorted(choices)))
    assert parse_lock(show_lock(lock), "x") == lock


def test_pinning_replaces_the_same_problem(tmp_path: Path) -> None:
    newer = replace(A, schedule="tile m 32")
    lock = Lock().pin(A).pin(B).pin(newer)
    assert lock.choices == (B, newer)
    write_lock(tmp_path / "haste.lock", lock)
    assert read_lock(tmp_path / "haste.lock") == lock
    assert [p.name for p in tmp_path.iterdir()] == ["haste.lock"]
    assert lock.find("key a", "triton", "H100") == newer
    assert lock.find("key a", "cpu", "H100") is None


def code_and_message(lock: Lock, wanted: Choice) -> tuple[str, str]:
    with pytest.raises(HasteError) as caught:
        lock.require(wanted, Path("haste.lock"))
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code, diagnostic.message


def test_a_locked_run_says_what_it_misses() -> None:
    lock = Lock((A,))
    assert lock.require(replace(A, schedule=""), Path("haste.lock")) == A
    assert code_and_message(lock, replace(A, key="new")) == (
        "HST6303",
        "haste.lock pins kernel 'linear', region r0, on H100 for another program text or other"
        " sizes",
    )
    assert code_and_message(lock, replace(A, device="H200")) == (
        "HST6302",
        "haste.lock has no choice for kernel 'linear', region r0, on H200",
    )


BAD_LOCKS = {
    "no TOML": "format = ",
    "no format": "",
    "newer": "format = 2\n",
    "something else": "format = 1\nmore = 1\n",
    "not a list": "format = 1\nchoice = 1\n",
    "a table less": 'format = 1\n[[choice]]\nkernel = "a"\n',
    "a number": TEXT.replace('"r0"', "0"),
    "schedule a text": TEXT.replace('[\n  "",\n]', '""'),
    "schedule of numbers": TEXT.replace('  "",', "  1,"),
    "twice": TEXT.replace("key b", "key a"),
    "deep": "format = 1\nx = " + "[" * 5000 + "]" * 5000,
}


@pytest.mark.parametrize("kind", BAD_LOCKS)
def test_what_is_no_lock(kind: str, tmp_path: Path) -> None:
    (tmp_path / "haste.lock").write_text(BAD_LOCKS[kind])
    with pytest.raises(HasteError, match="HST6301"):
        read_lock(tmp_path / "haste.lock")


def test_files_that_cannot_be(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "none") == Lock()
    (tmp_path / "latin").write_bytes(b"\xff")
    (tmp_path / "large").write_bytes(b"#" * (17 << 20))
    for name in ("latin", "large", "."):
        with pytest.raises(HasteError, match="HST6301"):
            read_lock(tmp_path / name)
    with pytest.raises(HasteError, match="HST6304"):
        write_lock(tmp_path / "no folder" / "haste.lock", Lock())
