"""The built-in losses as tests go through them: against published values, and thoroughly."""

import json
from pathlib import Path
from typing import Any

PUBLISHED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent / "published" / "losses.json").read_text(encoding="utf-8")
)
"""Values of 195 published losses. Each has the name of the built-in and its parameters, inputs, the expected value (one
a sample, a sample and place, or one number: `axes`), and in `gradient` a difference quotient of the sum of the values
in the input `wrt`. Where `agrees_with` names a library, the values are that library's; "own numpy" is a restatement of
the formula. The quotients move nothing inside `stop(e)`; null is where they are not trusted, as at kinks.
"""

THOROUGH = [
    "allowable",
    "binary_crossentropy",
    "binary_focal_crossentropy",
    "categorical_crossentropy",
    "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy",
    "categorical_hinge",
    "circle",
    "circle_references",
    "cosine_similarity",
    "dice",
    "hinge",
    "huber",
    "kl_divergence",
    "log_cosh",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_squared_error",
    "mean_squared_logarithmic_error",
    "poisson",
    "quantile",
    "sparse_categorical_crossentropy",
    "squared_hinge",
    "tversky",
]
"""The built-ins that are drawn at random, on each backend, in each shape and dtype, and at 50 digits: those that Keras
has too, and allowable error. The others are compiled by the same rules; for them there are the published values.
"""
