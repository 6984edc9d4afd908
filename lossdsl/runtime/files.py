"""Files that are written: whole or not at all, and with what belongs to them."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from lossdsl.errors import LossFileError


def store(data: bytes, path: str | os.PathLike[str]) -> None:
    """Writes a file whole or not at all. Raises LossFileError.

    The data lie complete in a file beside it, of an unforeseeable name and with the final permissions, before the file
    itself is touched: whoever is killed meanwhile loses nothing. A symbolic link is followed. Owner, permissions,
    further attributes and hard links stay: where a new file could not have them, the old one is written over in place.
    """
    try:
        there = Path(path).stat() if Path(path).exists() else None
        if there is not None and not stat.S_ISREG(there.st_mode):
            _fill(os.open(path, os.O_WRONLY), data)  # a device or a pipe: nothing can be put in its place
        else:
            _replace(Path(path).resolve(), data, there)
    except (OSError, ValueError, RuntimeError) as error:  # the last: links in a circle
        reason = getattr(error, "strerror", None) or error
        raise LossFileError(f"{path} cannot be written: {reason}", None, _remedy(error, Path(path))) from None


def _replace(home: Path, data: bytes, old: os.stat_result | None) -> None:
    aside = home.with_name(f".{home.name[:100]}.{secrets.token_hex(8)}.tmp")
    mode = 0o666 if old is None else 0o600  # a new file: what the user's mask leaves
    file = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), mode)
    try:
        is_alike = old is None or _made_alike(file, aside, home, old)
        _fill(file, data)
        target = None if is_alike else os.open(home, os.O_WRONLY)
        if target is None:
            os.replace(aside, home)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if target is not None:  # should this end halfway, the file beside it has everything
        os.ftruncate(target, 0)
        _fill(target, data)
        aside.unlink()


def _made_alike(file: int, aside: Path, home: Path, old: os.stat_result) -> bool:
    """Gives a new file what the old one has; whether that is possible, and no further name leads to the old one."""
    if not os.access(home, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    new = os.fstat(file)
    try:
        if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
            os.fchown(file, old.st_uid, old.st_gid)
        if hasattr(os, "listxattr"):
            for name in os.listxattr(home):
                os.setxattr(aside, name, os.getxattr(home, name))
    except OSError:
        return False
    os.fchmod(file, stat.S_IMODE(old.st_mode))  # last, for a change of the owner takes permissions away
    return old.st_nlink == 1


def _fill(file: int, data: bytes) -> None:
    with os.fdopen(file, "wb") as stream:
        stream.write(data)
        stream.flush()
        with suppress(OSError):  # a pipe has no disk to reach
            os.fsync(file)


def _remedy(error: Exception, path: Path) -> str | None:
    number = getattr(error, "errno", None)
    if number == errno.ENOENT:
        return f"make the folder {path.parent} first"
    if number == errno.EISDIR or path.is_dir():
        return "name a file in it"
    if number == errno.EACCES and path.exists() and os.access(path, os.W_OK):
        return f"the folder {path.parent} may not be written to, where a new file is made to take the place of this"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return "write to a place that you may write to"
    return "free some space" if number in (errno.ENOSPC, errno.EDQUOT) else None
