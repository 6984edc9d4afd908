"""Trains a network as a YAML file says: data, model, optimizer, and the loss.

    python examples/train.py [CONFIG]         by default train.yaml beside this script

Nothing is set here. The loss may be a built-in's name, a formula, or a file of its own; a mistake in it is reported
with its line of YAML. The model is saved and loaded again, which needs no more than `import lossdsl`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import yaml
from sklearn.datasets import load_diabetes
from statsmodels.datasets import engel, stackloss

import lossdsl


def data(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs of shape (samples, features) and targets of shape (samples, 1), all with mean 0 and spread 1."""
    if name == "diabetes":
        inputs, target = load_diabetes(return_X_y=True)
    elif name in ("engel", "stackloss"):
        found = {"engel": engel, "stackloss": stackloss}[name].load_pandas()
        inputs, target = found.exog.to_numpy(dtype=float), found.endog.to_numpy(dtype=float)
    else:
        raise SystemExit(f"there is no data set {name!r}; there are diabetes, engel and stackloss")
    target = target.reshape(-1, 1)
    return (inputs - inputs.mean(axis=0)) / inputs.std(axis=0), (target - target.mean()) / target.std()


def network(layers: list[int], activation: str) -> keras.Model:
    """Dense layers of these widths, and one number at the end."""
    hidden = [keras.layers.Dense(width, activation=activation) for width in layers]
    return keras.Sequential([*hidden, keras.layers.Dense(1)])


def main() -> int:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent / "train.yaml"
    try:
        loss = lossdsl.from_yaml(path, key="train.loss")
    except lossdsl.LossError as mistake:
        print(mistake, file=sys.stderr)
        return 1
    config: Mapping[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    train = config["train"]

    keras.utils.set_random_seed(train["seed"])
    inputs, target = data(config["data"]["name"])
    order = np.random.permutation(len(inputs))
    test, rest = np.split(order, [round(len(inputs) * config["data"]["held_out"])])

    model = network(**config["model"])
    model.compile(optimizer=keras.optimizers.get(train["optimizer"]), loss=loss, metrics=["mae"])
    model.fit(
        inputs[rest],
        target[rest],
        batch_size=train["batch_size"],
        epochs=train["epochs"],
        # a bar for each epoch on a terminal, one line for each in a file
        verbose="auto" if sys.stdout.isatty() else 2,
    )
    value, error = model.evaluate(inputs[test], target[test], verbose=0)
    print(f"{loss.name}: {value:.4f} on the {len(test)} samples held out, mean absolute error {error:.4f}")

    saved = path.parent / config["save"]
    saved.parent.mkdir(parents=True, exist_ok=True)
    model.save(saved)
    again, _ = keras.models.load_model(saved).evaluate(inputs[test], target[test], verbose=0)
    print(f"saved as {saved.resolve()}; loaded again its loss is {again:.4f}")
    return 0 if np.isclose(again, value) else 1


if __name__ == "__main__":
    sys.exit(main())
