"""The linear benchmark: a pruned weight times activations, with bias and activation.

The compiled program computes ``silu(W X + b)``; what it is compared with computes ``W X`` alone.
Every result is checked against float64 before anything is timed. On a GPU all times are of replayed
CUDA graphs over inputs that take turns and exceed its cache.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial

import torch

from bench.cases import Case, text
from bench.rows import Machine, Row
from hastec.driver import Program, compile
from hastec.ir.graph import Param
from hastec.levels.registry import default_registry
from hastec.options import Options
from hastec.plan import Plan
from hastec.run.rotation import rotated
from hastec.run.runner import Runner
from hastec.run.timing import copies_for, timer_for

Call = Callable[[], object]
ALLOWED: Mapping[str, float] = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 1e-5}


class Wrong(Exception):
    """Results that are not right: nothing is timed then."""


def program(case: Case, device: str, options: Options) -> Program:
    """Return the compiled program of a case."""
    name = "triton" if device == "cuda" else "cpu"
    return compile(text(case.dtype, case.values), backend_name=name, options=options)


def measure(case: Case, device: str, machine: Machine, tune: bool, options: Options) -> Row:
    """Return the result of one case. Raises Wrong if the program computes something else."""
    weight, x, bias = tables(case, device)
    made = program(case, device, options)
    plan = made.bind(W=weight, b=bias, N=case.batch, tune=tune)
    error = off(plan(X=x), stored(made.graph.param("W"), weight), x, bias)
    if not error < ALLOWED[case.dtype]:
        raise Wrong(f"{case.name}, {case.batch} columns: the relative error is {error:.2e}")
    run = plan.run
    assert isinstance(run, Runner)
    us = 1e6 * timer_for(run.device)(rotated(run, {"X": x}), None).median
    others = tuple((name, 1e6 * s) for name, s in compared(device, weight, x))
    (region,) = plan.report().regions
    return Row(
        bench="linear",
        table=case.name,
        rows=weight.shape[0],
        columns=weight.shape[1],
        density=round(float((weight != 0).double().mean()), 4),
        batch=case.batch,
        dtype=case.dtype,
        machine=machine,
        us=us,
        predicted_us=1e6 * region.cost.seconds,
        bound=region.cost.bound,
        format=str(plan.formats["W"]),
        schedule=region.schedule,
        tuned=tune,
        error=error,
        bytes=packed_bytes(plan),
        dense_bytes=weight.nbytes,
        others=others,
    )


def tables(case: Case, device: str) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return weight, activations and bias."""
    weight = case.weight(device)
    draw = torch.Generator(device=device).manual_seed(1)
    made = {"generator": draw, "device": device}
    x = torch.randn(weight.shape[1], case.batch, **made).to(weight.dtype)
    return weight, x, torch.randn(weight.shape[0], **made).to(weight.dtype)


def stored(param: Param, weight: torch.Tensor) -> torch.Tensor:
    """Return a weight as its value code holds it."""
    if param.format is None:
        return weight
    spec = param.format.only.values
    code = default_registry().values[spec.name](spec, param.dtype)
    return torch.as_tensor(code.rounded(weight))


def off(y: torch.Tensor, weight: torch.Tensor, x: torch.Tensor, bias: torch.Tensor) -> float:
    """Return the norm of the error over that of the right result, in float64."""
    exact = weight.double() @ x.double() + bias.double()[:, None]
    wanted = torch.nn.functional.silu(exact)
    return float((y.double() - wanted).norm() / wanted.norm())


def packed_bytes(plan: Plan) -> int:
    """Return the bytes of the weight as it is packed."""
    (table,) = (t for t in plan.report().tables if t.name == "W")
    return int(table.bytes or 0)


# ----------------------------------------------------------------------------------------- others
def compared(device: str, weight: torch.Tensor, x: torch.Tensor) -> Iterator[tuple[str, float]]:
    """Yield what else computes the product, with its seconds."""
    timer = timer_for(device)
    wanted = (weight.double() @ x.double()).cpu()
    for name, calls in (*_torch(device, weight, x), *_scipy(device, weight, x)):
        with suppress(RuntimeError):  # not every build of a library can be captured in a graph
            found = torch.as_tensor(calls[0]()).reshape(wanted.shape)
            error = (found.double().cpu() - wanted).norm() / wanted.norm()
            assert error < 2e-2, f"{name} is off by {error}"
            yield name, timer(calls, None).median


def _torch(
    device: str, weight: torch.Tensor, x: torch.Tensor
) -> Iterator[tuple[str, Sequence[Call]]]:
    dense, sparse = ("cuBLAS", "cuSPARSE") if device == "cuda" else ("torch dense", "torch CSR")
    rights = {"": x, **({" vector": x[:, 0].contiguous()} if x.shape[1] == 1 else {})}
    libraries = [(dense, _copies(device, weight))]
    if float((weight == 0).double().mean()) > 0.01:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that CSR is new in torch
            packed = weight.to_sparse_csr()
        libraries.append((sparse, _copies(device, packed)))
    for name, weights in libraries:
        for kind, right in rights.items():
            yield f"{name}{kind}", [partial(torch.matmul, w, right) for w in weights]


def _scipy(
    device: str, weight: torch.Tensor, x: torch.Tensor
) -> Iterator[tuple[str, Sequence[Call]]]:
    if device == "cuda":
        return
    try:
        from scipy.sparse import csr_array
    except ImportError:
        return
    packed, right = csr_array(weight.numpy()), x.numpy()
    yield "scipy CSR", [lambda: packed @ right]


def _copies(device: str, x: torch.Tensor) -> list[torch.Tensor]:
    size = x.values().nbytes * 3 if x.layout == torch.sparse_csr else x.nbytes
    count = copies_for(size) if device == "cuda" else 1
    return [x, *(x.clone() for _ in range(count - 1))]
