"""The exit statuses of the command line, and the error that ends it as wrongly used."""

CLEAN, FOUND, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
BROKEN_PIPE = 141


class WrongUse(Exception):
    """A command line that makes no sense, found while it is carried out."""
