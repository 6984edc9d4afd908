"""The exit statuses of the command line."""

CLEAN, FOUND, WRONG_USE, INTERRUPTED = 0, 1, 2, 130
BROKEN_PIPE = 141
