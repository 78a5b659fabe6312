"""``hastec cache``: list, check, clear and carry compiled programs."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from hastec.cache import Store, default_root
from hastec.cache.bundle import Bundle, export_bundle, import_bundle
from hastec.cache.care import Row
from hastec.cli.answer import Answer, Problem
from hastec.cli.arguments import Parser, folder, one_of, wrong
from hastec.options import Options
from hastec.text import amount, counted

ACTIONS: Mapping[str, str] = {
    "list": "what is kept, the last used first",
    "path": "where it is kept",
    "verify": "check every entry; damaged ones are set aside",
    "clear": "remove entries: those named, or all",
    "gc": "remove leftovers, and the oldest entries above the limit",
    "export": "write entries to a bundle: cache export FILE.tar [KEY …]",
    "import": "take a bundle in: cache import FILE.tar SHA256",
}


def configure(parser: Parser) -> None:
    """Add the arguments."""
    parser.epilog = "; ".join(f"{name}: {about}" for name, about in ACTIONS.items())
    actions = tuple(ACTIONS)
    parser.add_argument("action", nargs="?", type=one_of(actions), help=", ".join(actions))
    parser.add_argument("rest", nargs="*", metavar="ARGUMENT", help="a file, keys, a sha256")


def run(args: argparse.Namespace) -> Answer:
    """Do one action on the cache that settings name."""
    rest: list[str] = args.rest
    store = open_store(Options.from_environment())
    answer = _act(args.action or "list", store, rest)
    told = tuple(Problem(warning) for warning in store.warnings)
    return Answer(answer.text, answer.data, (*told, *answer.problems))


def open_store(options: Options) -> Store:
    """Return the cache that settings name."""
    root = options.cache_dir or default_root()
    return Store(root, trusted=options.cache_trust, limit=options.cache_limit)


def _act(action: str, store: Store, rest: list[str]) -> Answer:
    match action, rest:
        case "list", []:
            return _list(store)
        case "path", []:
            return Answer(str(store.root), {"path": str(store.root)})
        case "verify", []:
            return _verify(store)
        case "clear", keys:
            gone = store.rm(*(_key(store, k) for k in keys))
            return Answer(f"{counted(len(gone), 'entry', 'entries')} removed", {"removed": gone})
        case "gc", []:
            return _gc(store)
        case "export", [path, *keys]:
            made = export_bundle(store, folder(path), tuple(_key(store, k) for k in keys))
            return _bundle(made, "written to")
        case "import", [path, sha256]:
            return _bundle(import_bundle(store, folder(path), sha256), "taken from")
        case _:
            raise wrong("HST6403", f"`hastec cache {action}` is not so called", ACTIONS[action])


def _list(store: Store) -> Answer:
    rows = sorted(store.ls(), key=lambda row: (-row.used, row.key))
    total = sum(row.size for row in rows)
    lines = [_line(row) for row in rows]
    lines.append(f"{counted(len(rows), 'entry', 'entries')}, {amount(total)} in {store.root}")
    entries = [{"key": row.key, "bytes": row.size, "used": row.used} for row in rows]
    return Answer("\n".join(lines), {"path": str(store.root), "entries": entries, "bytes": total})


def _line(row: Row) -> str:
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(row.used))
    return f"{row.key[:16]}  {amount(row.size):>9}  {used}"


def _verify(store: Store) -> Answer:
    count = len(store.ls())
    wrong = store.verify()
    text = f"{counted(count, 'entry', 'entries')} checked, {len(wrong)} damaged"
    found = [{"key": key, "reason": reason} for key, reason in wrong]
    return Answer(text, {"checked": count, "damaged": found})


def _gc(store: Store) -> Answer:
    done = store.gc()
    text = (
        f"{counted(len(done.dropped), 'entry', 'entries')} and "
        f"{counted(done.leftovers, 'leftover')} removed, {amount(done.freed)} freed; "
        f"{counted(done.entries, 'entry', 'entries')} kept, {amount(done.size)}"
    )
    data = {"removed": done.dropped, "freed": done.freed, "kept": done.entries, "bytes": done.size}
    return Answer(text, {**data, "leftovers": done.leftovers})


def _bundle(made: Bundle, how: str) -> Answer:
    text = f"{counted(len(made.keys), 'entry', 'entries')} {how} {made.path}\nsha256 {made.sha256}"
    return Answer(text, {"path": str(made.path), "sha256": made.sha256, "keys": made.keys})


def _key(store: Store, start: str) -> str:
    """Return the one key that starts so."""
    found = [row.key for row in store.ls() if row.key.startswith(start)]
    if len(found) == 1:
        return found[0]
    what = "no entry" if not found else f"{len(found)} entries"
    raise wrong("HST6403", f"{what} begin with `{start}`", "`hastec cache list` shows the keys")
