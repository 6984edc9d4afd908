"""The curve of -log(x + 1e-7) on [0, 1]: what cross-entropy charges for the probability that it gave to the truth.

    python examples/log_curve.py [PICTURE]

At 0 it ends at -log(1e-7), about 16.1, instead of going up for ever.
"""

from __future__ import annotations

import sys
from pathlib import Path

import lossdsl
from lossdsl import plot

PICTURE = Path(__file__).resolve().parents[1] / "out" / "log_curve.png"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    # The formula has no t, so the horizontal axis is the prediction itself.
    print(f"written: {plot.draw(lossdsl.load('-log(x + 1e-7)'), path, over=(0.0, 1.0))}")


if __name__ == "__main__":
    main()
