"""Nodes that are written alike are one object: a metaclass, whose pool lets go of what nobody uses."""

from __future__ import annotations

import threading
from dataclasses import fields
from functools import cache
from typing import Any, ClassVar
from weakref import WeakValueDictionary


@cache
def _fields(cls: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls) if f.init)


class Interned(type):
    """Makes the constructor of a node return the node that exists already, if one does."""

    _pool: ClassVar[WeakValueDictionary[tuple[Any, ...], Any]] = WeakValueDictionary()
    _lock = threading.RLock()

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        if not kwargs:  # most nodes that are asked for exist
            found = Interned._pool.get((cls, *args))
            if found is not None:
                return found
        node = super().__call__(*args, **kwargs)
        node.axes, node.kind, node.is_static  # noqa: B018 - settled now, while the children's are known: no recursion later
        key = (cls, *(getattr(node, name) for name in _fields(cls)))
        with Interned._lock:
            return Interned._pool.setdefault(key, node)
