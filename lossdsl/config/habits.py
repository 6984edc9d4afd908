"""What configurations of other libraries write, and what stands for it here: a row a word."""

from __future__ import annotations

_CLASS = "a loss is a key of its own, by its name: `huber: {delta: 0.5}`"
_WEIGHT = "a weight belongs to a loss in a list, `[{huber: {}, weight: 2}]`, or to one under `outputs`"

_HABITS = {
    "_target_ _partial_ _args_ target": f"{_CLASS}; no class is looked up",
    "class_name config module registered_name": f"{_CLASS}, and not as Keras saves it",
    "type kind loss_type loss_name loss_fn criterion": _CLASS,
    "kwargs args arguments options hparams": "parameters stand under the name of the loss, or of a formula under `params`",
    "param parameters parameter": "parameters of a formula or file stand under `params`",
    "weight weights loss_weight loss_weights coefficient lambda scale factor": _WEIGHT,
    "path filename loss_file": "a file is named by `file: mine.loss`",
    "expression expr equation": "a formula is given by `formula: abs(t - x)^2`",
    "reduce size_average": "the reduction is an option: `reduction: sum`",
    "avg average elementwise_mean batchmean mean_over_batch": "the mean over the batch is `sum_over_batch_size`",
    "None null no_reduction": "without a reduction it is `none`",
}
_BY_WORD = {word: hint for words, hint in _HABITS.items() for word in words.split()}


def habit(word: str) -> str | None:
    """What to do about a key or value that other libraries know."""
    return _BY_WORD.get(word)


def reference_hint(text: str) -> str | None:
    """What to do about `${train.delta}` and the like; None for a text that is none."""
    stripped = text.strip()
    if stripped.startswith("${") or (stripped.startswith("$") and stripped[1:].isidentifier()):
        return "it is filled in by the library or shell that reads it: give lossdsl what it resolves to"
    if stripped.startswith("{{"):
        return "a template is filled in before it is read"
    return None
