"""Machine code that the interpreter calls as a function of its own, to launch a kernel.

Short kernels take less time than a call through ``ctypes`` does. ``haste_call(order, *addresses)``
takes the address of an *order*, words that say what to launch, and those of the tables: it copies
the launch's words to its stack, puts the addresses in, and runs it, by itself or with the threads
of a board, while others may use the interpreter.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Protocol

from hastec.backends.cpu.entry import EVERYTHING, FIRST

RUN, BOARD, WANTED, WORDS, HEAD = 0, 1, 2, 3, 4
"""Where an order holds the exported function, the board (0: nobody helps), how many others may
help, and how many words the launch has; these follow from ``HEAD`` on.
"""
TRIES = 20_000
"""How often a launch looks whether all threads have left it before it lets others run."""
BUSY = 2
"""What a launch returns while somebody still runs it."""

_NEEDED = (
    *("PyLong_AsSsize_t", "PyLong_FromSsize_t", "PyErr_Occurred"),
    *("PyEval_SaveThread", "PyEval_RestoreThread"),
)

_CALL = """declare i64 @PyLong_AsSsize_t(ptr)
declare ptr @PyLong_FromSsize_t(i64)
declare ptr @PyErr_Occurred()
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
declare i32 @sched_yield()
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)

define ptr @haste_call(ptr %self, ptr %args, i64 %count) #0 {{
entry:
  %first = load ptr, ptr %args
  %at = call i64 @PyLong_AsSsize_t(ptr %first)
  %order = inttoptr i64 %at to ptr
  %none = icmp sle i64 %at, 0
  br i1 %none, label %refused, label %known
known:
{loads}
  %launch = alloca i64, i64 %words, align 64
  %from = getelementptr inbounds i64, ptr %order, i64 {head}
  %bytes = mul i64 %words, 8
  call void @llvm.memcpy.p0.p0.i64(ptr align 8 %launch, ptr align 8 %from, i64 %bytes, i1 false)
  br label %next
next:
  %n = phi i64 [ 1, %known ], [ %more, %put ]
  %another = icmp slt i64 %n, %count
  br i1 %another, label %table, label %ready
table:
  %object.at = getelementptr inbounds ptr, ptr %args, i64 %n
  %object = load ptr, ptr %object.at
  %address = call i64 @PyLong_AsSsize_t(ptr %object)
  %odd = icmp eq i64 %address, -1
  br i1 %odd, label %refused, label %put
put:
  %place = add nsw i64 %n, {before}
  %word = getelementptr inbounds i64, ptr %launch, i64 %place
  store i64 %address, ptr %word
  %more = add nsw i64 %n, 1
  br label %next
refused:
  %error = call ptr @PyErr_Occurred()
  %silent = icmp eq ptr %error, null
  br i1 %silent, label %zero, label %failed
failed:
  ret ptr null
zero:
  %nothing = call ptr @PyLong_FromSsize_t(i64 0)
  ret ptr %nothing
ready:
  %thread = call ptr @PyEval_SaveThread()
  %alone = icmp eq ptr %board, null
  br i1 %alone, label %one, label %several
one:
  call void %run(ptr %launch, i64 {all}, i1 zeroext false)
  br label %done
several:
  %started = call i64 @haste_launch(ptr %board, ptr %run, ptr %launch, i64 %wanted, i64 {tries})
  br label %look
look:
  %state = phi i64 [ %started, %several ], [ %later, %wait ]
  %busy = icmp eq i64 %state, {busy}
  br i1 %busy, label %wait, label %done
wait:
  %yielded = call i32 @sched_yield()
  %later = call i64 @haste_close(ptr %board, i64 {tries})
  br label %look
done:
  call void @PyEval_RestoreThread(ptr %thread)
  %result = call ptr @PyLong_FromSsize_t(i64 1)
  ret ptr %result
}}
"""


def text() -> str:
    """Return the function, which belongs beside those of :mod:`hastec.backends.cpu.team`."""
    loads = []
    for name, at in (("run", RUN), ("board", BOARD), ("wanted", WANTED), ("words", WORDS)):
        kind = "ptr" if name in ("run", "board") else "i64"
        loads += [
            f"  %{name}.at = getelementptr inbounds i64, ptr %order, i64 {at}",
            f"  %{name} = load {kind}, ptr %{name}.at",
        ]
    numbers = {"head": HEAD, "before": FIRST - 1, "all": EVERYTHING, "tries": TRIES, "busy": BUSY}
    return _CALL.format(loads="\n".join(loads), **numbers)


def symbols() -> Mapping[str, int]:
    """Return where the functions lie that the text calls."""
    found = {name: getattr(ctypes.pythonapi, name) for name in _NEEDED}
    found["sched_yield"] = ctypes.CDLL(None).sched_yield
    return {name: ctypes.cast(f, ctypes.c_void_p).value or 0 for name, f in found.items()}


class Call(Protocol):
    """The function: takes an order and the addresses of tables; 1 if the launch is over."""

    def __call__(self, order: int, /, *addresses: int) -> int:
        """Launch."""
        ...


class _Method(ctypes.Structure):
    """What the interpreter knows of a function in machine code (``PyMethodDef``)."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("code", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_FASTCALL = 0x0080


def function(address: int) -> tuple[Call, object]:
    """Return the machine code at an address as a function, and what must stay as long as it."""
    method = _Method(b"haste_call", address, _FASTCALL, b"Launch a kernel.")
    kind = ctypes.PYFUNCTYPE(ctypes.py_object, *[ctypes.c_void_p] * 3)
    make = kind(("PyCFunction_NewEx", ctypes.pythonapi))
    made: Call = make(ctypes.addressof(method), None, None)
    return made, method
