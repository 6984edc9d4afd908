"""How often a process of the command line looks for garbage."""

import gc


def collect_seldom() -> None:
    """For a process that lives for seconds and makes few cycles: by default a tenth of a check goes there."""
    gc.set_threshold(100_000, 20, 20)
