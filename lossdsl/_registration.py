"""Registers the saved classes with Keras as soon as Keras is imported, and not before.

A `.keras` file names its loss by a registered name alone, so `import lossdsl` has to be enough for
`keras.models.load_model`; but importing Keras takes seconds, which `lossdsl check` must not cost. Hence a finder that
waits for the import of `keras`, lets it happen, and then imports the module that registers.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

_REGISTERS = ("lossdsl.losses", "lossdsl.runtime.keras_terms", "lossdsl.fused.keras_head")


class _AfterKeras(MetaPathFinder):
    """Finds `keras` once, by way of the other finders, and hooks on to its loader."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "keras":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("keras")
        if spec is not None and spec.loader is not None:
            spec.loader = _Loader(spec.loader)
        return spec


class _Loader(Loader):
    def __init__(self, inner: Loader) -> None:
        self.inner = inner

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        if spec is not None:
            spec.loader = self.inner
        module.__loader__ = self.inner
        try:
            self.inner.exec_module(module)
        except BaseException:  # its backend is not installed, say: it may be imported again
            sys.meta_path.insert(0, _AfterKeras())
            raise
        if not _is_under_way():
            _register()


def _register() -> None:
    for name in _REGISTERS:
        importlib.import_module(name)


def _is_under_way() -> bool:
    """Whether our own module is what imports Keras, half imported itself: its class registers when it is done."""
    ours = sys.modules.get("lossdsl.runtime.keras_loss")
    return ours is not None and not hasattr(ours, "Loss")


def register_with_keras() -> None:
    """Registers now if Keras is there already, else when it comes."""
    if sys.modules.get("keras") is not None:
        _register()
    elif not any(isinstance(finder, _AfterKeras) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterKeras())
