"""Matrix files: right numbers, or an error that says where; nothing in a file is trusted."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
import scipy.sparse as sp
import torch

from hastec.ir import types as t
from hastec.ir.graph import Param
from hastec.levels.assemble import to_dense
from hastec.levels.faults import TableError
from hastec.run import files
from hastec.run.files import read_table
from hastec.run.tables import take
from hastec.sym.size import Size

SHAPE = (Size.of("M"), Size.of("N"))


def param(dtype: t.DType = t.F32, sparse: bool = True) -> Param:
    return Param("W", dtype, SHAPE, sparse=sparse)


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_text(text)
    return path


def read(path: Path, p: Param | None = None) -> Any:
    return to_dense(take(p or param(), str(path)).entries())[0]


def refusal(path: Path, p: Param | None = None) -> str:
    with pytest.raises(TableError) as caught:
        take(p or param(), path)
    return str(caught.value)


COORDINATE = """%%MatrixMarket matrix coordinate real general
% a comment

 3 4 4
1 1 1.5
3 4 -2e3
2 1 0.25
1 4 1e-45
"""


def test_matrix_market_is_what_scipy_reads(tmp_path: Path) -> None:
    path = written(tmp_path, "a.mtx", COORDINATE)
    expected = torch.from_numpy(scipy.io.mmread(path).toarray().astype(np.float32))
    assert torch.equal(read(path), expected)
    assert torch.equal(read(written(tmp_path, "a.mtx.gz", COORDINATE)), expected)
    half = read(path, param(t.F16))
    assert half.dtype == torch.float16 and torch.equal(half, expected.half())
    assert read(path, param(t.BF16)).dtype == torch.bfloat16


@pytest.mark.parametrize("symmetry", ["general", "symmetric", "skew-symmetric"])
@pytest.mark.parametrize("field", ["real", "integer"])
@pytest.mark.parametrize("layout", ["coordinate", "array"])
def test_every_kind_of_file(tmp_path: Path, symmetry: str, field: str, layout: str) -> None:
    x = np.arange(16).reshape(4, 4) % 5
    x = {"general": x, "symmetric": x + x.T, "skew-symmetric": x - x.T}[symmetry]
    path = tmp_path / "x.mtx"
    data = x.astype(np.int64 if field == "integer" else np.float64)
    made = sp.coo_array(data) if layout == "coordinate" else data
    scipy.io.mmwrite(path, made, field=field, symmetry=symmetry)
    assert path.read_text().splitlines()[0].split()[2:] == [layout, field, symmetry]
    dense = take(param(sparse=layout == "coordinate"), path)
    got: Any = dense.dense if layout == "array" else to_dense(dense.entries())[0]
    assert got.tolist() == x.tolist()


def test_patterns_are_ones_or_drawn(tmp_path: Path) -> None:
    path = written(tmp_path, "p.smtx", "3, 4, 5\n0 2 2 5\n1 3 0 1 2\n")
    ones = [[0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 1, 0]]
    assert read(path).tolist() == ones
    assert read(path, param(t.BOOL)).tolist() == torch.tensor(ones).bool().tolist()
    assert read(written(tmp_path, "p.smtx.gz", path.read_text())).tolist() == ones
    drawn = [to_dense(take(param(), read_table(param(), path, s)).entries())[0] for s in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    whole: Any = drawn[0]
    assert (whole != 0).int().tolist() == ones
    mtx = "%%MatrixMarket matrix coordinate pattern general\n2 2 1\n2 1\n"
    assert read(written(tmp_path, "p.mtx", mtx)).tolist() == [[0, 0], [1, 0]]


def test_an_empty_matrix(tmp_path: Path) -> None:
    empty = written(tmp_path, "e.smtx", "3, 4, 0\n0 0 0 0\n\n")
    assert read(empty).tolist() == [[0] * 4] * 3
    text = "%%MatrixMarket matrix coordinate real general\n3 4 0\n"
    assert read(written(tmp_path, "e.mtx", text)).tolist() == [[0] * 4] * 3


@pytest.mark.parametrize("kind", ["csr", "csc", "bsr", "coo"])
def test_archives_of_scipy(tmp_path: Path, kind: str) -> None:
    x = np.array([[0, 1, 0, 2], [3, 0, 0, 0]], np.float32)
    sp.save_npz(tmp_path / "x.npz", sp.csr_array(x).asformat(kind))
    assert read(tmp_path / "x.npz").tolist() == x.tolist()


def test_arrays_of_numpy(tmp_path: Path) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.save(tmp_path / "x.npy", x)
    np.savez_compressed(tmp_path / "x.npz", x=x)
    for name in ("x.npy", "x.npz"):
        dense: Any = take(param(sparse=False), tmp_path / name).dense
        assert dense.tolist() == x.tolist()
    np.save(tmp_path / "f.npy", x.astype(np.float64))
    assert "HST4002" in refusal(tmp_path / "f.npy", param(sparse=False))


HEAD = "%%MatrixMarket matrix coordinate real general\n"
BROKEN = {
    "a.mtx": ("", "line 1 must be"),
    "b.mtx": ("hello\n", "line 1 must be"),
    "c.mtx": ("%%MatrixMarket matrix coordinate complex general\n1 1 0\n", "is not supported"),
    "d.mtx": ("%%MatrixMarket matrix coordinate real hermitian\n1 1 0\n", "is not supported"),
    "e.mtx": (HEAD, "must state the number"),
    "f.mtx": (HEAD + "1 1\n", "must state the number"),
    "g.mtx": (HEAD + "-1 1 0\n", "must state the number"),
    "h.mtx": (HEAD + "2 2 2\n1 1 1\n", "it has 1 entries, line 2 states 2"),
    "i.mtx": (HEAD + "2 2 1\n1 1 1\n2 2 2\n", "it has 2 entries, line 2 states 1"),
    "j.mtx": (HEAD + "2 2 1\n0 1 1\n", "entry 1 names row 0 of 2"),
    "k.mtx": (HEAD + "2 2 1\n1 3 1\n", "entry 1 names column 3 of 2"),
    "l.mtx": (HEAD + "2 2 1\n1 1\n", "2 numbers a line, not 3"),
    "m.mtx": (HEAD + "2 2 1\n1 1 x\n", "could not convert"),
    "n.mtx": (HEAD + "2 2 2\n1 1 1\n2 2\n", "after line 2"),
    "o.mtx": (HEAD + "99999999999999999999 2 1\n1 1 1\n", "line 2"),
    "p.mtx": (HEAD + "2 2 1\n1 1 __import__('os')\n", "could not convert"),
    "q.mtx": ("%%MatrixMarket matrix array real general\n2 2\n1\n2\n3\n", "3 numbers, 4 were"),
    "r.mtx": (
        "%%MatrixMarket matrix array real symmetric\n2 3\n1\n",
        "is symmetric and has 2 rows",
    ),
    "s.mtx": (
        "%%MatrixMarket matrix array real general\n2000000000 2000000000\n1\n",
        "were stated",
    ),
    "a.smtx": ("", "line 1 must be"),
    "b.smtx": ("3 4\n", "line 1 must be"),
    "c.smtx": ("2, 2, 1\n0 1\n0\n", "line 2 has 2 starts for 2 rows"),
    "d.smtx": ("2, 2, 2\n0 1 2\n0\n", "line 3 has 1 columns, line 1 states 2"),
    "e.smtx": ("2, 2, x\n", "line 1"),
    "f.smtx": ("1, 1, 1\n0 1\n9" + "9" * 30 + "\n", "line 3"),
    "n.npy": ("not numpy", "cannot be read"),
    "n.npz": ("not a zip", "cannot be read"),
    "n.mtx.gz": (HEAD, ""),
    "n.txt": ("1 2 3", "whose kind is unknown"),
    "noext": ("1 2 3", "whose kind is unknown"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_say_where(tmp_path: Path, name: str) -> None:
    text, message = BROKEN[name]
    path = tmp_path / name
    path.write_text(text)
    found = refusal(path)
    assert found.startswith("error[HST4021]: W: ") and message in found and "help: " in found


def test_sound_text_of_unsound_tables(tmp_path: Path) -> None:
    twice = written(tmp_path, "t.mtx", HEAD + "2 2 2\n1 1 1\n1 1 2\n")
    assert "HST4014" in refusal(twice)
    down = written(tmp_path, "d.smtx", "2, 2, 2\n0 2 1\n0 1\n")
    assert "HST4011" in refusal(down)
    past = written(tmp_path, "p.smtx", "2, 2, 2\n0 1 2\n0 7\n")
    assert "HST4012" in refusal(past)
    big = written(tmp_path, "b.mtx", HEAD + "2 2 1\n1 1 300\n")
    assert "HST4018" in refusal(big, param(t.I8))
    assert "HST4018" in refusal(written(tmp_path, "f.mtx", HEAD + "2 2 1\n1 1 1.5\n"), param(t.I32))


def test_folders_and_missing_files(tmp_path: Path) -> None:
    (tmp_path / "folder.mtx").mkdir()
    assert "no regular file" in refusal(tmp_path / "folder.mtx")
    assert "no regular file" in refusal(tmp_path / "missing.mtx")


def test_text_that_is_not_ascii(tmp_path: Path) -> None:
    path = tmp_path / "x.mtx"
    path.write_bytes(HEAD.encode() + "２ ２ ０\n".encode())
    assert "HST4021" in refusal(path)


def test_files_that_unpack_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "LIMIT", 1000)
    assert "HST4022" in refusal(written(tmp_path, "x.mtx.gz", HEAD + "%" * 5000))
    np.savez_compressed(tmp_path / "x.npz", x=np.zeros(1000, np.float32))
    assert "HST4022" in refusal(tmp_path / "x.npz")


def test_archives_that_lie_or_carry_objects(tmp_path: Path) -> None:
    def npy(header: str) -> bytes:
        return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()

    big = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000000), }\n"
    for data in (npy(big), npy(big.replace("1000000000, ", "-5, "))):
        (tmp_path / "x.npy").write_bytes(data)
        assert "HST4021" in refusal(tmp_path / "x.npy", param(sparse=False))
        with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
            archive.writestr("x.npy", data)
        assert "HST4021" in refusal(tmp_path / "x.npz", param(sparse=False))
    stream = io.BytesIO()
    np.save(stream, np.array([[None]], dtype=object))
    (tmp_path / "o.npy").write_bytes(stream.getvalue())
    assert "Python objects" in refusal(tmp_path / "o.npy", param(sparse=False))
    with zipfile.ZipFile(tmp_path / "f.npz", "w") as archive:
        for name, value in (("format", np.array("dia")), ("data", np.ones(2))):
            stream = io.BytesIO()
            np.save(stream, value)
            archive.writestr(f"{name}.npy", stream.getvalue())
    assert "csr, csc, bsr and coo can be read" in refusal(tmp_path / "f.npz")
