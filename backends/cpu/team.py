"""Machine code by which threads find and share a launch without the interpreter's help.

A *board* in memory holds at most one launch at a time. Its number is odd while the launch is open:
threads that wait for one see it change, and join. One that joins first counts itself in and then
looks whether the launch is still open, and whoever closes it first changes the number and then
waits until nobody is counted in: so nobody runs a launch that is over.

``haste_serve(board, read, pipe, tries)`` waits for launches and runs them; having looked ``tries``
times in vain, it sleeps until somebody writes a byte into the pipe, and returns 0 once that is
closed (1 if ``read`` fails). ``haste_launch(board, run, launch, wanted, tries)`` opens a
launch for up to ``wanted`` others, takes ranges itself while there are any, and closes it.
``haste_close(board, tries)`` closes a launch; both return 1 once nobody runs it any more, and 2 if
somebody still does after ``tries`` looks.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Protocol, cast

from hastec.backends.cpu import call, machine
from hastec.backends.cpu.call import Call
from hastec.backends.cpu.entry import EVERYTHING

SLOTS = 64
"""Words of a board: four groups, two cache lines each."""
NUMBER, INSIDE, AWAKE, HEARD, LAUNCH = 0, 16, 32, 33, 48
"""Where a board holds the launch's number, who runs it, who waits for one, how often somebody was
woken, and what to run.
"""
FAILED = 1
"""What serving returns if the pipe cannot be read."""

_FIELDS = ("run", "launch", "wanted")

_SERVE = """define i64 @haste_serve(ptr %board, ptr %read, i32 %pipe, i64 %tries) #0 {{
entry:
{slots}
  %byte = alloca i8
  %woken = atomicrmw add ptr %awake, i64 1 seq_cst
  br label %wait
wait:
  %n = phi i64 [ 0, %entry ], [ %next, %idle ], [ 0, %out ], [ 0, %missed ], [ 0, %up ]
  %known = phi i64 [ 0, %entry ], [ %known, %idle ], [ %seen, %out ], [ %known, %missed ],
                   [ %known, %up ]
  %seen = load atomic i64, ptr %board seq_cst, align 8
  %new = icmp ne i64 %seen, %known
  %odd = trunc i64 %seen to i1
  %mine = and i1 %new, %odd
  br i1 %mine, label %join, label %idle
idle:
  {pause}
  %next = add i64 %n, 1
  %enough = icmp sge i64 %next, %tries
  br i1 %enough, label %rest, label %wait
join:
  %before = atomicrmw add ptr %inside, i64 1 seq_cst
  %again = load atomic i64, ptr %board seq_cst, align 8
  %still = icmp eq i64 %again, %seen
  br i1 %still, label %open, label %out
open:
{loads}
  %room = icmp slt i64 %before, %wanted
  br i1 %room, label %work, label %out
work:
  call void %run(ptr %launch, i64 {all}, i1 zeroext true)
  br label %out
out:
  %left = atomicrmw sub ptr %inside, i64 1 seq_cst
  br label %wait
rest:
  %slept = atomicrmw sub ptr %awake, i64 1 seq_cst
  %late = load atomic i64, ptr %board seq_cst, align 8
  %newer = icmp ne i64 %late, %known
  %opened = trunc i64 %late to i1
  %miss = and i1 %newer, %opened
  br i1 %miss, label %missed, label %sleep
missed:
  %back = atomicrmw add ptr %awake, i64 1 seq_cst
  br label %wait
sleep:
  %got = call i64 %read(i32 %pipe, ptr %byte, i64 1)
  %some = icmp sgt i64 %got, 0
  br i1 %some, label %up, label %done
up:
  %heard.now = atomicrmw add ptr %heard, i64 1 seq_cst
  %risen = atomicrmw add ptr %awake, i64 1 seq_cst
  br label %wait
done:
  %failed = icmp slt i64 %got, 0
  %result = zext i1 %failed to i64
  ret i64 %result
}}
"""

_LAUNCH = """define i64 @haste_launch(ptr %board, ptr %run, ptr %launch, i64 %wanted,
    i64 %tries) #0 {{
entry:
{slots}
{stores}
  %opened = atomicrmw add ptr %board, i64 1 seq_cst
  call void %run(ptr %launch, i64 {all}, i1 zeroext false)
  %end = call i64 @haste_close(ptr %board, i64 %tries)
  ret i64 %end
}}

define i64 @haste_close(ptr %board, i64 %tries) #0 {{
entry:
{slots}
  %number = load atomic i64, ptr %board monotonic, align 8
  %odd = and i64 %number, 1
  %closed = atomicrmw add ptr %board, i64 %odd seq_cst
  br label %wait
wait:
  %n = phi i64 [ 0, %entry ], [ %next, %idle ]
  %count = load atomic i64, ptr %inside seq_cst, align 8
  %empty = icmp eq i64 %count, 0
  br i1 %empty, label %done, label %idle
idle:
  {pause}
  %next = add i64 %n, 1
  %enough = icmp sge i64 %next, %tries
  br i1 %enough, label %busy, label %wait
done:
  ret i64 1
busy:
  ret i64 2
}}
"""

_PAUSES = (
    (("x86_64", "i686", "i386"), "call void @llvm.x86.sse2.pause()", "()"),
    (("aarch64", "arm64"), "call void @llvm.aarch64.hint(i32 1)", "(i32)"),
)


def text(triple: str) -> str:
    """Return the module of the functions for a processor."""
    pause, declaration = 'fence syncscope("singlethread") seq_cst', ""
    for names, written, types in _PAUSES:
        if triple.startswith(names):
            callee = written.removeprefix("call void ").partition("(")[0]
            pause, declaration = written, f"declare void {callee}{types}\n"
    slots = "\n".join(
        _slot(name, at) for name, at in (("inside", INSIDE), ("awake", AWAKE), ("heard", HEARD))
    )
    loads, stores = [], []
    for n, name in enumerate(_FIELDS):
        kind = "i64" if name == "wanted" else "ptr"
        loads += [_slot(name, LAUNCH + n, ".at"), f"  %{name} = load {kind}, ptr %{name}.at"]
        stores += [_slot(name, LAUNCH + n, ".at"), f"  store {kind} %{name}, ptr %{name}.at"]
    serve = _SERVE.format(slots=slots, pause=pause, loads="\n".join(loads), all=EVERYTHING)
    launch = _LAUNCH.format(slots=slots, pause=pause, stores="\n".join(stores), all=EVERYTHING)
    return f"{serve}\n{launch}\n{declaration}\nattributes #0 = {{ nounwind }}\n"


def _slot(name: str, at: int, ending: str = "") -> str:
    return f"  %{name}{ending} = getelementptr inbounds i64, ptr %board, i64 {at}"


class Board(Protocol):
    """Words in memory."""

    def __getitem__(self, at: int) -> int:
        """Return a word."""
        ...

    def __setitem__(self, at: int, word: int) -> None:
        """Write a word."""
        ...


def new_board() -> Board:
    """Return an empty board whose groups lie on cache lines of their own."""
    room = (ctypes.c_int64 * (SLOTS + 16))()
    start = -ctypes.addressof(room) % 128
    board: Board = (ctypes.c_int64 * SLOTS).from_buffer(room, start)
    return board


def address(board: Board) -> int:
    """Return where a board lies."""
    return ctypes.addressof(cast(ctypes.Array[ctypes.c_int64], board))


def cleared(board: Board) -> Board:
    """Return a board as nobody has used it yet."""
    for at in range(SLOTS):
        board[at] = 0
    return board


class Native(Protocol):
    """One of the functions; the interpreter is free meanwhile."""

    def __call__(self, *args: object) -> int:
        """Call it."""
        ...


@dataclass(frozen=True, slots=True)
class Team:
    """The functions in memory, with what keeps them there, and the system's ``read``."""

    read: object
    serve: Native
    call: Call
    kept: tuple[object, ...]


@cache
def team() -> Team:
    """Return the functions, compiled for this processor on first use."""
    host = machine.processor("host")
    whole = f"{text(host.triple)}\n{call.text()}"
    linked = machine.link(machine.compile_text(whole, host)[0], call.symbols())
    word, at = ctypes.c_int64, ctypes.c_void_p
    kind = ctypes.CFUNCTYPE(word, at, at, ctypes.c_int, word)
    serve = kind(linked.get_function_address("haste_serve"))
    read = ctypes.cast(ctypes.CDLL(None).read, at)
    made, method = call.function(linked.get_function_address("haste_call"))
    return Team(read, serve, made, (linked, method))
