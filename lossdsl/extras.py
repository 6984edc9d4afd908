"""Libraries that not every installation has: which extra brings each, and an error that names it.

The core (checking, formatting, gradients, emitted modules, losses on numpy arrays) needs none of them.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from lossdsl.errors import LossImportError

EXTRAS = {"keras": "tensorflow", "tensorflow": "tensorflow", "jax": "jax", "torch": "torch", "matplotlib": "plot"}
"""The extra of the package that brings a library."""

_KERAS_BACKENDS = ("tensorflow", "jax", "torch")


def is_installed(library: str) -> bool:
    """Whether a library can be imported; nothing is imported for that."""
    if library in sys.modules:
        return sys.modules[library] is not None
    return find_spec(library) is not None


def missing(library: str, *, for_keras: bool = False) -> LossImportError:
    """The mistake that a library is not installed, with the command that brings it."""
    others = [each for each in _KERAS_BACKENDS if each != library and is_installed(each)]
    remedy = f"pip install 'lossdsl[{EXTRAS[library]}]'"
    if library == "keras" and others:
        remedy = " or ".join(f"pip install 'lossdsl[{EXTRAS[each]}]'" for each in others)
    elif for_keras and others:
        remedy += f", or set the environment variable KERAS_BACKEND={others[0]}, which is installed"
    purpose = ", the backend of Keras," if for_keras and library in _KERAS_BACKENDS else ""
    return LossImportError(f"{library}{purpose} is not installed", None, remedy)


def load(library: str) -> ModuleType:
    """Imports a library. Raises LossImportError where it, or the backend that it stands on, is not installed."""
    try:
        return import_module(library)
    except ModuleNotFoundError as error:
        if error.name not in EXTRAS:
            raise
        raise missing(error.name, for_keras=library == "keras" != error.name) from None
