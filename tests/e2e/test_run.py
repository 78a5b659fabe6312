"""``run``: tables from files, invented ones, what comes out and whether it is right."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hastec.run.runner import Runner
from tests.e2e.shell import Done, bind, example, hastec, shell, sizes


def linear(*more: object, w: object = "random:64x48@0.2") -> Done:
    given = bind(f"W={w}", "X=random:48x5", "b=random")
    return hastec("run", example("linear"), *given, *more)


def test_invented_tables_on_a_cpu() -> None:
    done = linear("--check", "--backend", "cpu")
    assert done.code == 0 and done.err == ""
    assert done.out.startswith("compiled for cpu, run on cpu\n  Y: f16[64, 5], ")
    assert "agrees: Y: 320 values agree" in done.out


def test_the_promise_of_the_language_page(tmp_path: Path) -> None:
    """A weight in a file and an invented table, in a process of its own."""
    path = tmp_path / "weight.mtx"
    head = "%%MatrixMarket matrix coordinate real general\n"
    path.write_text(head + "3 4 3\n1 1 2.0\n2 4 -1.0\n3 2 0.5\n")
    text = "haste 1\nkernel k(W: static sparse f32[M, K], X: f32[K, N]) -> Y: f32[M, N] {\n"
    program = tmp_path / "k.haste"
    program.write_text(text + "    Y[m, n] = sum[k] W[m, k] * X[k, n]\n}\n")
    given = bind(f"W={path}", "X=range:4x2")
    done = shell("run", program, *given, "--out", f"Y={tmp_path / 'y.npy'}", cwd=tmp_path)
    assert done.code == 0, done.err
    w = np.array([[2, 0, 0, 0], [0, 0, 0, -1], [0, 0.5, 0, 0]])
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), w @ np.arange(8).reshape(4, 2))


def save(kind: str, folder: Path, dense: np.ndarray) -> object:
    if kind == "npy":
        np.save(folder / "w.npy", dense)
        return folder / "w.npy"
    if kind == "npz":
        import scipy.sparse

        scipy.sparse.save_npz(folder / "w.npz", scipy.sparse.csr_matrix(dense.astype(np.float32)))
        return folder / "w.npz"
    from safetensors.torch import save_file

    both = {"layer.w": torch.from_numpy(dense), "other": torch.zeros(2)}
    save_file(both, folder / "w.safetensors")
    return f"{folder / 'w.safetensors'}:layer.w"


@pytest.mark.parametrize("kind", ["npy", "npz", "safetensors"])
def test_tables_from_files(kind: str, tmp_path: Path) -> None:
    dense = np.random.default_rng(0).integers(-3, 4, (6, 9)).astype(np.float32)
    dense[dense < 0] = 0
    text = "haste 1\nkernel k(W: static sparse f32[M, K]) -> y: f32[M] { y[m] = sum[k] W[m, k] }\n"
    program = tmp_path / "k.haste"
    program.write_text(text)
    out = tmp_path / "y.npy"
    done = hastec("run", program, "--bind", f"W={save(kind, tmp_path, dense)}", "--out", f"y={out}")
    assert done.code == 0, done.err
    np.testing.assert_array_equal(np.load(out), dense.sum(1))


def test_shapes_follow_from_sizes_and_other_tables() -> None:
    given = bind("W=integers@0.5", "X=integers", "b=zeros")
    done = hastec("run", example("linear"), *sizes(M=12, K=8, N=3), *given, "--check")
    assert done.code == 0 and "Y: f16[12, 3]" in done.out


def test_index_tables_are_invented_inside() -> None:
    given = bind("E=random:10x4", "id=random:40", "off=random:7")
    done = hastec("run", example("bag"), *given, "--check")
    assert done.code == 0 and "agrees" in done.out


def test_a_sparse_output_is_spelled_out(tmp_path: Path) -> None:
    given = bind("S=random:9x11@0.3", "A=random:9x4", "B=random:11x4")
    out = tmp_path / "c.npy"
    done = hastec("run", example("sddmm"), *given, "--check", "--out", f"C={out}")
    assert done.code == 0 and np.load(out).shape == (9, 11)
    assert 0 < np.count_nonzero(np.load(out)) < 99


def test_an_interpreted_program_runs_with_a_warning() -> None:
    given = bind(*(f"{n}=random" for n in "qKVCP"))
    told = sizes(H=2, L=40, G=2, D=8, R=16)
    done = hastec("run", example("hata"), *told, *given, "--check", "--json")
    assert done.code == 0 and done.data["agrees"] is True
    assert set(done.codes) == {"HST5001"}
    assert done.data["outputs"][0]["shape"] == [2, 2, 8]


def test_a_growing_cache_is_interpreted() -> None:
    given = bind("K=random", "c=8")
    done = hastec("run", example("cache"), *sizes(H=2, L=300, D=48), *given, "--check")
    assert done.code == 0, done.err
    assert "c: i32 = 264" in done.out


def test_single_values() -> None:
    given = [*sizes(B=2, D=6, F=10), *bind(*(f"{n}=random" for n in ("x", "G", "U", "Dn")))]
    assert hastec("run", example("cats"), *given, "--bind", "t=0.5", "--check").code == 0
    done = hastec("run", example("cats"), *given, "--bind", "t=half")
    assert done.code == 1 and "`t` is one f32 and cannot be `half`" in done.err


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert linear("--json").out == linear("--json").out
    assert linear("--json", "--seed", "1").out != linear("--json").out


WRONG = [
    ("X=randm:48x5", "did you mean `X=random:48x5`?"),
    ("X=nothing.mtx", "check the path"),
    ("X", "write NAME=VALUE, such as X=random:4096x16"),
    ("Z=random:3", "its inputs are W, X and b, its sizes M, K and N"),
    ("x=random:3", "did you mean `X`?"),
    ("N=many", "write a number: N=16"),
    ("X=random:48", "give it 2 dimensions"),
    ("X=random", "add it: X=random:48xN"),
]


@pytest.mark.parametrize(("binding", "help_"), WRONG)
def test_a_wrong_binding(binding: str, help_: str) -> None:
    given = bind("W=random:64x48", binding, "b=random:64")
    done = hastec("run", example("linear"), *given)
    assert done.code == 1 and f"help: {help_}" in done.err


def test_a_missing_table_is_shown_with_a_binding_that_would_do() -> None:
    done = hastec("run", example("linear"), "--bind", "W=random:64x48", "--bind", "N=5")
    assert done.code == 1 and "error[HST6404]: nothing is bound to the input `X`" in done.err
    assert "help: add --bind X=random:48x5, or a file" in done.err
    assert "^^^^" in done.err


def test_sizes_that_disagree() -> None:
    given = bind("W=random:64x48", "X=random:40x5", "b=random")
    done = hastec("run", example("linear"), *given)
    assert done.code == 1 and "error[HST4004]" in done.err and "^^^" in done.err


def test_an_output_that_is_none() -> None:
    assert linear("--out", "Z=z.npy").code == 2
    assert linear("--out", "Y=y.txt").code == 2
    assert "error[HST6405]" in linear("--out", "Y=none/y.npy").err


def test_a_device_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASTE_TARGET", "gfx942")
    assert "error[HST6006]: this machine has no gfx942" in linear().err


def test_a_wrong_result_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Runner.call

    def dishonest(self: Runner, given: Mapping[str, Any]) -> Any:
        found = honest(self, given)
        found[3, 2] += 1
        return found

    monkeypatch.setattr(Runner, "call", dishonest)
    done = linear("--check")
    assert done.code == 1 and "error[HST6501]: Y[3, 2] is" in done.err
