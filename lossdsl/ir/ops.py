"""The op table: every operation of the language, one row each, in a file for each family under `rows`.

Parser, resolver, printer, targets, gradient, proofs, tests, documentation and "did you mean" all read it. A new
operation is a new row and nothing else.
"""

from __future__ import annotations

import math

from lossdsl.ir.bounds import INF
from lossdsl.ir.rows.aggregation import AGGREGATE_ROWS
from lossdsl.ir.rows.arithmetic import ARITHMETIC
from lossdsl.ir.rows.exponentials import EXPONENTIALS
from lossdsl.ir.rows.logic import LOGIC
from lossdsl.ir.rows.probability import DISTRIBUTIONS
from lossdsl.ir.rows.trigonometry import TRIGONOMETRY

OPS = {row.name: row for row in (*ARITHMETIC, *EXPONENTIALS, *TRIGONOMETRY, *DISTRIBUTIONS, *LOGIC)}

AGGREGATES = {row.name: row for row in AGGREGATE_ROWS}

CONSTANTS = {"pi": math.pi, "inf": INF, "epsilon": 1e-7}
"""Names that stand for numbers. `epsilon` is Keras's fuzz factor. `pi` has a row too, for it is no fraction."""

LOSSES_TOO = ("quantile",)
"""Aggregates that share their name with a loss, which has the name where arguments do not tell them apart."""

SYNTAX = ("where", "cases", "onehot", "clip")
"""Functions that the resolver writes in terms of others."""


def function_names() -> list[str]:
    """Every name that the language itself gives a meaning to, as a function or a constant.

    Private rows are not among them: no text of a user's names one, so they may be called like a loss or a variable.
    """
    rows = [name for table in (OPS, AGGREGATES) for name, row in table.items() if row.public and name not in LOSSES_TOO]
    return sorted({*rows, *CONSTANTS, *SYNTAX})
