"""The integrity-checked store of compiled programs and its keys."""

from hastec.cache.entry import Entry
from hastec.cache.keys import key
from hastec.cache.place import default_root
from hastec.cache.store import Made, Store

__all__ = ["Entry", "Made", "Store", "default_root", "key"]
