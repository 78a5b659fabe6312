"""``tune`` and ``bench``: what is measured, kept, pinned and said."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from hastec.cli.bench import calls
from hastec.cli.bindings import read_bindings
from hastec.diag import Source
from hastec.driver import compile
from tests.e2e.shell import bind, example, hastec

TABLES = bind("W=random:48x40@0.2", "b=random")


def test_bench_tells_times_and_bytes() -> None:
    given = (*TABLES, *bind("X=random:40x4"))
    done = hastec("bench", example("linear"), *given, "--backend", "cpu", "--check", "--json")
    assert done.code == 0, done.out
    data = done.data
    assert 0 < data["seconds"] < 1 and data["samples"] >= 3 and data["graph_replay"] is False
    assert data["bytes_per_second"] == data["least_bytes"] / data["seconds"]
    assert len(data["predicted_seconds"]) == 1


def test_bench_as_text() -> None:
    given = bind("E=random:12x12@0.5", "x=random")
    done = hastec("bench", example("relax"), *given)
    assert done.code == 0 and done.out.startswith("relax on cpu: ")
    assert "GB/s" in done.out and "predicted" in done.out


def test_bench_needs_every_table() -> None:
    done = hastec("bench", example("linear"), *TABLES)
    assert done.code == 1 and "nothing is bound to the input `X`" in done.err


def test_tuning_is_kept_explained_and_pinned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = (*TABLES, *bind("N=4"))
    lock = tmp_path / "my.lock"
    words = (*given, "--budget", "30", "--lock", str(lock), "--json")
    first = hastec("tune", example("linear"), *words)
    assert first.code == 0, first.out
    assert first.data["measured"] > 0 and 0 < first.data["seconds"]["linear_Y"] < 1
    assert first.data["lock"] == str(lock) and "linear_Y" in lock.read_text()
    told = hastec("explain", example("linear"), *given, "--json").data["kernels"][0]
    assert told["measured_seconds"] == first.data["seconds"]["linear_Y"]
    monkeypatch.setenv("HASTE_LOCKED", "1")
    monkeypatch.setenv("HASTE_LOCK_FILE", str(lock))
    pinned = hastec("explain", example("linear"), *given, "--json")
    assert pinned.data["kernels"][0]["schedule"] == told["schedule"]
    monkeypatch.setenv("HASTE_LOCK_FILE", str(tmp_path / "none.lock"))
    assert hastec("explain", example("linear"), *given, "--json").codes == ["HST6302"]


def test_tuning_needs_static_tables() -> None:
    done = hastec("tune", example("linear"), "--bind", "N=4")
    assert done.code == 1 and "nothing is bound to the input `W`" in done.err


def test_tuning_needs_all_sizes() -> None:
    done = hastec("tune", example("linear"), *TABLES, "--budget", "1")
    assert done.code == 1 and "error[HST4005]" in done.err


def test_a_bad_effort() -> None:
    done = hastec("tune", example("linear"), "--effort", "ful")
    assert done.code == 2 and "did you mean `full`?" in done.err


def test_inputs_take_turns_on_a_gpu() -> None:
    """Dense floats are copied so that no cache holds them; what is checked once is shared."""
    graph = compile(example("bag"), backend_name="cpu").graph
    device = SimpleNamespace(name="cuda:0")
    asked: list[dict[str, Any]] = []

    class Looking:
        run = SimpleNamespace(graph=graph)
        setup = SimpleNamespace(device=device)

        def __call__(self, **given: Any) -> None:
            asked.append(given)

    plan: Any = Looking()
    tables = {
        "E": torch.ones(1 << 20, dtype=torch.float16),
        "id": torch.zeros(4, dtype=torch.int32),
        "off": torch.zeros(3, dtype=torch.int64),
    }
    for call in calls(plan, tables):
        call()
    assert len(asked) * tables["E"].nbytes > 100 << 20
    assert len({given["E"].data_ptr() for given in asked}) == len(asked)
    assert all(given["id"] is tables["id"] for given in asked)


def test_tables_are_moved_to_the_device() -> None:
    graph = compile(example("bag"), backend_name="cpu").graph
    args = Namespace(bind=["E=random:5x2", "id=random:4", "off=random:3"], size=[], seed=0)
    source = Source("bag", "")
    found: Any = read_bindings(args, graph, source, "meta").tables
    # E is declared to be in host memory.
    assert [found[n].device.type for n in ("E", "id", "off")] == ["cpu", "meta", "meta"]
