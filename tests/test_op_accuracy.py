"""Every row of the op table keeps the errors that it states, on every target: value and slope, over its whole domain.

How they are drawn and measured is told in `op_trial.py`. A row states the largest error measured, times 1.5 (libraries
compute a little differently on different machines). `make test` tries numpy, TensorFlow (eager and XLA) and keras.ops,
`make test-all` JAX and torch; float64 is tried where that is quick.
"""

import os

import pytest
from op_trial import measured

from lossdsl.ir.op import DOUBLE
from lossdsl.ir.ops import OPS

BACKENDS = os.environ.get("LOSSDSL_BACKENDS", "numpy tensorflow keras").split()
KINDS = {"numpy": ("float32", "float64"), "torch": ("float32", "float64")}
ROWS = [op for op in OPS.values() if op.arity]


@pytest.mark.parametrize("op", ROWS, ids=lambda op: op.name)
def test_a_row_is_as_accurate_as_it_says(op):
    for kind in ("float32", "float64"):
        for target in BACKENDS:
            if kind not in KINDS.get(target, ("float32",)):
                continue
            value, slope = op.ulps[DOUBLE if kind == "float64" else target]
            for part, way, worst, place in measured(op, target, kind):
                bound = value if part == "value" else slope
                assert worst <= bound, f"{op.name}, {part} on {target} ({way}) in {kind}: {worst} ulp at {place}"
