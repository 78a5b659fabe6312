"""Safetensors files: every type as the format's own library writes it, and hostile headers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from hastec.diag import HasteError
from hastec.ir import types as t
from hastec.ir.graph import Param
from hastec.run.safetensors_file import read_tensor
from hastec.run.tables import take
from hastec.sym.size import Size

KINDS = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.bool),
    *(torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8),
]


def read(path: Path, name: str = "") -> torch.Tensor:
    found: torch.Tensor = read_tensor(path, name, path.stat().st_size)
    return found


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_every_type(kind: torch.dtype, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    tensors = {"a": torch.arange(6).reshape(2, 3).to(kind), "b.c": torch.ones(3).to(kind)}
    save_file({**tensors, "none": torch.zeros(0, 4).to(kind)}, path, {"format": "pt"})
    for name, tensor in tensors.items():
        found = read(path, name)
        assert found.dtype == kind and torch.equal(found, tensor)
    assert read(path, "none").shape == (0, 4)


def test_the_only_tensor_needs_no_name(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"only": torch.tensor(2.5)}, path)
    assert read(path).item() == 2.5


def test_a_table_is_taken_by_path(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    save_file({"w": torch.eye(3), "b": torch.ones(2)}, path)
    param = Param("W", t.F32, (Size.of("M"), Size.of("K")))
    value = take(param, f"{path}:w")
    assert value.dense is not None and torch.equal(value.dense, torch.eye(3))
    with pytest.raises(HasteError, match="several tensors; name one behind the path"):
        take(param, path)
    with pytest.raises(HasteError, match="it has no tensor v"):
        take(param, f"{path}:v")


def written(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    size = len(text) if length is None else length
    path.write_bytes(size.to_bytes(8, "little") + text + data)
    return path


def entry(**changes: object) -> dict[str, object]:
    return {"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


DATA = bytes(8)
HOSTILE: list[tuple[object, str]] = [
    (b"{", "no JSON"),
    (b"[" * 5000, "no JSON"),
    ([1], "no object"),
    ({"x": 3}, "x has no type, shape and place"),
    (entry(dtype="C64"), "of type C64, which is not known"),
    (entry(shape=[-2]), "has a shape that is none"),
    (entry(shape=[2.0]), "has a shape that is none"),
    (entry(shape=[1 << 62, 1 << 62]), "does not take the bytes stated"),
    (entry(shape=[3]), "does not take the bytes stated"),
    (entry(data_offsets=[4, 12]), "x lies outside the file"),
    (entry(data_offsets=[-8, 0]), "x lies outside the file"),
    (entry(data_offsets=[8, 0]), "x lies outside the file"),
    (entry(data_offsets="ab"), "x has no type, shape and place"),
    ({}, "it holds several tensors; name one behind the path: FILE:NAME, of none"),
]


@pytest.mark.parametrize(("header", "message"), HOSTILE, ids=lambda x: str(x)[:40])
def test_a_hostile_file(header: object, message: str, tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", header, DATA)
    with pytest.raises(ValueError, match=message):
        read(path)


@pytest.mark.parametrize("length", [1 << 62, 100 << 20, 9999])
def test_a_header_longer_than_the_file(length: int, tmp_path: Path) -> None:
    path = written(tmp_path / "m.safetensors", entry(), DATA, length)
    with pytest.raises(ValueError, match="more than the file holds"):
        read(path)


@pytest.mark.parametrize("size", range(8))
def test_a_file_too_short_for_a_header(size: int, tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(b"\1" * size)
    with pytest.raises(ValueError, match=r"header|holds"):
        read(path)


def test_a_file_cut_at_any_place(tmp_path: Path) -> None:
    whole = tmp_path / "m.safetensors"
    save_file({"x": torch.arange(4.0)}, whole)
    data = whole.read_bytes()
    for size in range(len(data)):
        part = tmp_path / "part.safetensors"
        part.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"."):
            read(part)
