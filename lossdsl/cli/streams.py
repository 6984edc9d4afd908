"""Text from standard input, and from pipes and devices that have a name: as much as a loss may have, and no more."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from lossdsl.errors import LossFileError
from lossdsl.source import Source


@dataclass(frozen=True)
class Stdin:
    """Standard input, under the name that it has in messages; the name's ending says what is in it."""

    name: str = "<stdin>"

    def data(self) -> bytes:
        """What stands there. Raises LossFileError."""
        if sys.stdin is None or sys.stdin.closed:
            raise LossFileError("standard input is closed", None, "name a file, or give the text by a pipe")
        return _read_all(sys.stdin.buffer, "standard input")

    def read(self) -> Source:
        """The text. Raises LossFileError."""
        return _decoded(self.data(), "standard input", self.name)


def _read_all(stream: BinaryIO, what: str) -> bytes:
    """What a stream of no known length has. Raises LossFileError if that is too much, or cannot be read."""
    from lossdsl.runtime.sources import MAX_BYTES

    try:
        data = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise LossFileError(f"{what} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise LossFileError(f"{what} has more than {MAX_BYTES} bytes; that is no loss")
    return data


def _decoded(data: bytes, what: str, name: str) -> Source:
    from lossdsl.runtime.sources import not_utf8

    try:
        return Source(data.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        raise not_utf8(what, error) from None


def of_pipe(path: Path) -> Source:
    """What comes through a pipe or device that has a name, as of `<(command)` in a shell. Raises LossFileError."""
    try:
        with open(path, "rb") as stream:
            return _decoded(_read_all(stream, str(path)), str(path), str(path))
    except OSError as error:
        raise LossFileError(f"{path} cannot be read: {error.strerror}") from None
