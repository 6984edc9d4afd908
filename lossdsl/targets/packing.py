"""The blocks of packed inputs in code: how long each is and where it starts, given the length of the whole as text."""

from __future__ import annotations

from lossdsl.ir.inputs import InputSpec
from lossdsl.ir.loss import Argument


def block(spec: Argument, length: str) -> str:
    """The length of a block that says none.

    >>> from lossdsl.ir.axes import LAST
    >>> from lossdsl.ir.expr import Input
    >>> spec = InputSpec(tuple(Input(name, frozenset({LAST})) for name in "gsn"), lengths=(1, None, None))
    >>> block(spec, "n"), start(spec, 2, "n")
    ('(n - 1) // 2', '1 + (n - 1) // 2')
    """
    if not isinstance(spec, InputSpec) or len(spec.nodes) == 1:
        return length
    rest = f"({length} - {spec.fixed})" if spec.fixed else length
    return f"{rest} // {spec.shares}"


def start(spec: InputSpec, place: int, length: str) -> str:
    """Where a block starts."""
    ahead = spec.lengths[:place] if spec.lengths else (None,) * place
    fixed, shares = sum(one or 0 for one in ahead), ahead.count(None)
    share = f"{shares} * ({block(spec, length)})" if shares > 1 else block(spec, length)
    return " + ".join(filter(None, (str(fixed) if fixed or not shares else "", share if shares else "")))
