"""Long lines of generated code, folded at their outermost brackets."""

from __future__ import annotations

_OPEN, _CLOSE = "([{", ")]}"


def folded(text: str, indent: int, width: int) -> list[str]:
    """Return a line of code as lines of at most ``width`` columns, if brackets allow that.

    What stands in the last outermost bracket comes to stand in lines of its own.
    """
    start = " " * indent
    found = _last_bracket(text)
    if indent + len(text) <= width or found is None:
        return [start + text]
    first, last = found
    lines = [start + text[: first + 1]]
    called = first > 0 and (text[first - 1].isalnum() or text[first - 1] == "_")
    comma = "," if called else ""  # around one expression it would make a tuple
    for item in _items(text[first + 1 : last]):
        lines += folded(f"{item}{comma}", indent + 4, width)
    return [*lines, start + text[last:]]


def _last_bracket(text: str) -> tuple[int, int] | None:
    """Return where the last outermost bracket that holds something long opens and closes."""
    depth, first, found = 0, 0, None
    for at, letter in enumerate(text):
        if letter in _OPEN:
            first = at if depth == 0 else first
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
            # A subscript cannot be folded for the better, nor can a call of one short argument.
            if depth == 0 and letter == ")" and at - first > 24:
                found = first, at
    return found


def _items(text: str) -> list[str]:
    """Return what commas outside brackets separate."""
    depth, start, found = 0, 0, []
    for at, letter in enumerate(text):
        if letter in _OPEN:
            depth += 1
        elif letter in _CLOSE:
            depth -= 1
        elif letter == "," and depth == 0:
            found.append(text[start:at].strip())
            start = at + 1
    return [*found, text[start:].strip()]
