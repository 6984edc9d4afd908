"""A drop-in for `keras.losses`: the same names, signatures, defaults and shapes, compiled from the catalog.

    from lossdsl import losses
    losses.huber(y_true, y_pred, delta=0.5)      one value a sample
    losses.Huber(delta=0.5)                      for model.compile

Values are Keras's to the last few digits, and nearer the true ones where Keras loses some. What else is different:

- Saved losses keep all their arguments, dtype too. (The axis of `CosineSimilarity` is not in its `get_config`, for it
  is not in Keras's either: what is serialized or saved with a model has it.)
- Shapes that differ in more than a trailing axis of length 1 are an error; nothing is broadcast.
- In a loss object a number for the whole batch (`Dice` with `axis=None`, a prediction of rank 1) counts once for each
  sample, so that weights and masks apply to it and a sum is one over samples.
- `BinaryFocalCrossentropy` and `CategoricalFocalCrossentropy` do not clip what comes from logits.

Errors are kinds of `LossError`, which is a `ValueError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from lossdsl.runtime.drop_in.aligned import ignored, positive
from lossdsl.runtime.drop_in.by_name import found_by, serialize
from lossdsl.runtime.drop_in.classes import BuiltIn, Loss, class_of
from lossdsl.runtime.drop_in.ctc import CTC, ctc
from lossdsl.runtime.drop_in.functions import function_of
from lossdsl.runtime.drop_in.row import BuiltInRow

_TAIL = 'reduction="sum_over_batch_size", name="{}", dtype=None'
_LAST = "One value a sample (and place), from its last axis."
_AXIS = "One value for each place along the other axes; one number with `axis=None`."
_LABEL = "`y_true` `(batch, …)` or `(batch, …, 1)`, whole numbers; `y_pred` `(batch, …, classes)`"

_NO_ARGUMENTS: Mapping[str, str] = {}
_DELTA = {"delta": "the size of error from which the loss is linear."}
_FOCAL = {"gamma": "the power of what the prediction leaves to the wrong answer; 0 gives cross-entropy."}
_BINARY_FOCAL = {
    "apply_class_balancing": "whether the label 1 has the weight `alpha` and the label 0 the weight `1 - alpha`.",
    "alpha": "the weight of the label 1, with `apply_class_balancing`.",
    **_FOCAL,
}
_CATEGORICAL_FOCAL = {"alpha": "the weight of all classes, or one weight a class.", **_FOCAL}
_SPARSE = {"ignore_class": "the label whose samples count for nothing, or None."}
_TVERSKY = {"alpha": "the weight of what was missed.", "beta": "the weight of what was found wrongly."}
_CIRCLE = {
    "ref_labels": "the classes of the reference embeddings `(references,)`; by default those of the batch.",
    "ref_embeddings": "the embeddings to compare with `(references, length)`; by default those of the batch.",
    "remove_diagonal": "whether the pairs of equal number (an example with itself) are left out.",
    "gamma": "the scale.",
    "margin": "the distance that pairs of one class should not exceed.",
}
_Q = {"q": "between 0 (cross-entropy) and 1 (probability of error)."}


def _row(name: str, class_name: str, options: str, init: str, arguments: Mapping[str, str], **more: Any) -> BuiltInRow:
    """A row whose class ends in `reduction, name, dtype` with the name of the function, unless `init` is complete."""
    whole = init if "name=" in init else f"{init}, {_TAIL.format(name)}" if init else _TAIL.format(name)
    return BuiltInRow(name, class_name, options, whole, arguments, **more)


_LOGITS = "from_logits=False, label_smoothing=0.0, axis=-1"

ROWS = (
    # regression
    _row("mean_squared_error", "MeanSquaredError", "", "", _NO_ARGUMENTS, aliases=("mse", "MSE")),
    _row("mean_absolute_error", "MeanAbsoluteError", "", "", _NO_ARGUMENTS, aliases=("mae", "MAE")),
    _row("mean_absolute_percentage_error", "MeanAbsolutePercentageError", "", "", _NO_ARGUMENTS,
         aliases=("mape", "MAPE")),
    _row("mean_squared_logarithmic_error", "MeanSquaredLogarithmicError", "", "", _NO_ARGUMENTS,
         aliases=("msle", "MSLE")),
    _row("cosine_similarity", "CosineSimilarity", "axis=-1", "axis=-1", _NO_ARGUMENTS, gives=_AXIS,
         apart="axis", aliases=("cosine_proximity",)),
    _row("huber", "Huber", "delta=1.0", f"delta=1.0, {_TAIL.format('huber_loss')}", _DELTA, unsaved=("delta",),
         aliases=("huber_loss",)),
    _row("log_cosh", "LogCosh", "", "", _NO_ARGUMENTS, aliases=("logcosh",)),
    # maximum margin
    _row("hinge", "Hinge", "", "", _NO_ARGUMENTS),
    _row("squared_hinge", "SquaredHinge", "", "", _NO_ARGUMENTS),
    _row("categorical_hinge", "CategoricalHinge", "", "", _NO_ARGUMENTS, gives=_LAST),
    # probabilities
    _row("kl_divergence", "KLDivergence", "", "", _NO_ARGUMENTS, gives=_LAST,
         aliases=("kld", "KLD", "kullback_leibler_divergence")),
    _row("poisson", "Poisson", "", "", _NO_ARGUMENTS),
    _row("binary_crossentropy", "BinaryCrossentropy", _LOGITS, _LOGITS, _NO_ARGUMENTS, gives=_AXIS,
         rounded=True, remembers=True, aliases=("bce", "BCE")),
    _row("binary_focal_crossentropy", "BinaryFocalCrossentropy",
         f"apply_class_balancing=False, alpha=0.25, gamma=2.0, {_LOGITS}",
         f"apply_class_balancing=False, alpha=0.25, gamma=2.0, {_LOGITS}", _BINARY_FOCAL, gives=_AXIS,
         rounded=True, remembers=True),
    _row("categorical_crossentropy", "CategoricalCrossentropy", _LOGITS, _LOGITS, _NO_ARGUMENTS, warns=True,
         remembers=True, gives=_AXIS),
    _row("categorical_focal_crossentropy", "CategoricalFocalCrossentropy", f"alpha=0.25, gamma=2.0, {_LOGITS}",
         f"alpha=0.25, gamma=2.0, {_LOGITS}", _CATEGORICAL_FOCAL, warns=True, gives=_AXIS),
    _row("sparse_categorical_crossentropy", "SparseCategoricalCrossentropy",
         "from_logits=False, ignore_class=None, axis=-1",
         'from_logits=False, ignore_class=None, reduction="sum_over_batch_size", axis=-1, '
         'name="sparse_categorical_crossentropy", dtype=None', _SPARSE, is_sparse=True, counts=ignored,
         unsaved=("axis",), remembers=True,
         shapes=_LABEL, gives=_LAST),
    _row("categorical_generalized_cross_entropy", "CategoricalGeneralizedCrossEntropy", "q", "q=0.5", _Q,
         is_sparse=True, shapes=_LABEL, gives=_LAST),
    # segmentation
    _row("dice", "Dice", "axis=None", 'reduction="sum_over_batch_size", name="dice", axis=None, dtype=None',
         _NO_ARGUMENTS, gives=_AXIS),
    _row("tversky", "Tversky", "alpha=0.5, beta=0.5, axis=None",
         'alpha=0.5, beta=0.5, reduction="sum_over_batch_size", name="tversky", axis=None, dtype=None', _TVERSKY,
         gives=_AXIS),
    # similarity
    _row("circle", "Circle", "ref_labels=None, ref_embeddings=None, remove_diagonal=True, gamma=80, margin=0.4",
         "gamma=80.0, margin=0.4, remove_diagonal=True", _CIRCLE, references="circle_references", counts=positive,
         is_sparse=True, shapes="`y_true` `(batch,)` or `(batch, 1)`, whole numbers; `y_pred` `(batch, length)`",
         gives="One value a sample; those that are 0 are masked, and do not count in a mean."),
)  # fmt: skip
"""Every loss of Keras's module but `ctc`, with Keras's signatures."""

_FUNCTIONS = {row.name: function_of(row) for row in ROWS}
_CLASSES = {row.class_name: class_of(row) for row in ROWS}

Function = Callable[..., Any]

mean_squared_error: Function = _FUNCTIONS["mean_squared_error"]
mean_absolute_error: Function = _FUNCTIONS["mean_absolute_error"]
mean_absolute_percentage_error: Function = _FUNCTIONS["mean_absolute_percentage_error"]
mean_squared_logarithmic_error: Function = _FUNCTIONS["mean_squared_logarithmic_error"]
cosine_similarity: Function = _FUNCTIONS["cosine_similarity"]
huber: Function = _FUNCTIONS["huber"]
log_cosh: Function = _FUNCTIONS["log_cosh"]
hinge: Function = _FUNCTIONS["hinge"]
squared_hinge: Function = _FUNCTIONS["squared_hinge"]
categorical_hinge: Function = _FUNCTIONS["categorical_hinge"]
kl_divergence: Function = _FUNCTIONS["kl_divergence"]
poisson: Function = _FUNCTIONS["poisson"]
binary_crossentropy: Function = _FUNCTIONS["binary_crossentropy"]
binary_focal_crossentropy: Function = _FUNCTIONS["binary_focal_crossentropy"]
categorical_crossentropy: Function = _FUNCTIONS["categorical_crossentropy"]
categorical_focal_crossentropy: Function = _FUNCTIONS["categorical_focal_crossentropy"]
sparse_categorical_crossentropy: Function = _FUNCTIONS["sparse_categorical_crossentropy"]
categorical_generalized_cross_entropy: Function = _FUNCTIONS["categorical_generalized_cross_entropy"]
dice: Function = _FUNCTIONS["dice"]
tversky: Function = _FUNCTIONS["tversky"]
circle: Function = _FUNCTIONS["circle"]

MeanSquaredError: type[BuiltIn] = _CLASSES["MeanSquaredError"]
MeanAbsoluteError: type[BuiltIn] = _CLASSES["MeanAbsoluteError"]
MeanAbsolutePercentageError: type[BuiltIn] = _CLASSES["MeanAbsolutePercentageError"]
MeanSquaredLogarithmicError: type[BuiltIn] = _CLASSES["MeanSquaredLogarithmicError"]
CosineSimilarity: type[BuiltIn] = _CLASSES["CosineSimilarity"]
Huber: type[BuiltIn] = _CLASSES["Huber"]
LogCosh: type[BuiltIn] = _CLASSES["LogCosh"]
Hinge: type[BuiltIn] = _CLASSES["Hinge"]
SquaredHinge: type[BuiltIn] = _CLASSES["SquaredHinge"]
CategoricalHinge: type[BuiltIn] = _CLASSES["CategoricalHinge"]
KLDivergence: type[BuiltIn] = _CLASSES["KLDivergence"]
Poisson: type[BuiltIn] = _CLASSES["Poisson"]
BinaryCrossentropy: type[BuiltIn] = _CLASSES["BinaryCrossentropy"]
BinaryFocalCrossentropy: type[BuiltIn] = _CLASSES["BinaryFocalCrossentropy"]
CategoricalCrossentropy: type[BuiltIn] = _CLASSES["CategoricalCrossentropy"]
CategoricalFocalCrossentropy: type[BuiltIn] = _CLASSES["CategoricalFocalCrossentropy"]
SparseCategoricalCrossentropy: type[BuiltIn] = _CLASSES["SparseCategoricalCrossentropy"]
CategoricalGeneralizedCrossEntropy: type[BuiltIn] = _CLASSES["CategoricalGeneralizedCrossEntropy"]
Dice: type[BuiltIn] = _CLASSES["Dice"]
Tversky: type[BuiltIn] = _CLASSES["Tversky"]
Circle: type[BuiltIn] = _CLASSES["Circle"]

mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error
mape = MAPE = mean_absolute_percentage_error
msle = MSLE = mean_squared_logarithmic_error
bce = BCE = binary_crossentropy
kld = KLD = kullback_leibler_divergence = kl_divergence
logcosh = log_cosh
huber_loss = huber
cosine_proximity = cosine_similarity

_ALIASES = {alias: _FUNCTIONS[row.name] for row in ROWS for alias in row.aliases}
_KNOWN: dict[str, Any] = {**_FUNCTIONS, **_CLASSES, **_ALIASES, "ctc": ctc, "CTC": CTC, "Loss": Loss}


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """A loss function or object from what `serialize` gave.

    Args:
        name: the dict, or the name of a loss; a name alone gives the function or the class itself.
        custom_objects: further losses by name.
    """
    return found_by(_KNOWN, name, custom_objects)


def get(identifier: Any) -> Any:
    """The loss that `identifier` means.

    Args:
        identifier: None (gives None), the name of a function (gives the function) or of a class (gives an object of
            it), a dict with `class_name` and `config`, or a function or object, which is given back.

    Raises:
        ValueError: nothing is called so.

    >>> get("mse") is mean_squared_error
    True
    """
    if identifier is None:
        return None
    found = identifier
    if isinstance(identifier, Mapping):
        found = deserialize(identifier)
    elif isinstance(identifier, str):
        found = _KNOWN.get(identifier)
    if isinstance(found, type):
        found = found()
    if not callable(found):
        raise ValueError(f"Could not interpret loss identifier: {identifier}")
    return found


def is_categorical_crossentropy(loss: Any) -> bool:
    """Whether a loss is categorical cross-entropy: by its name, as the function, or as an object of the class."""
    if isinstance(loss, str):
        return loss in ("categorical_crossentropy", "CategoricalCrossentropy")
    return isinstance(loss, CategoricalCrossentropy) or getattr(loss, "__name__", "") == "categorical_crossentropy"


__all__ = [
    "BCE", "CTC", "KLD", "MAE", "MAPE", "MSE", "MSLE", "BinaryCrossentropy", "BinaryFocalCrossentropy",
    "CategoricalCrossentropy", "CategoricalFocalCrossentropy", "CategoricalGeneralizedCrossEntropy",
    "CategoricalHinge", "Circle", "CosineSimilarity", "Dice", "Hinge", "Huber", "KLDivergence", "LogCosh", "Loss",
    "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson",
    "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky", "bce", "binary_crossentropy",
    "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy",
    "categorical_generalized_cross_entropy", "categorical_hinge", "circle", "cosine_proximity", "cosine_similarity",
    "ctc", "deserialize", "dice", "get", "hinge", "huber", "huber_loss", "is_categorical_crossentropy",
    "kl_divergence", "kld", "kullback_leibler_divergence", "log_cosh", "logcosh", "mae", "mape",
    "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error",
    "mse", "msle", "poisson", "serialize", "sparse_categorical_crossentropy", "squared_hinge", "tversky",
]  # fmt: skip
