"""A 64-64-1 network learns with squared error whose difference is divided by 10.

    python examples/dense_network.py [EPOCHS]

The data are scikit-learn's diabetes patients. Their targets run from 25 to 346, so that plain squared errors start in
the ten thousands; measured in tens, they have the size that an optimizer's usual settings are meant for.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
from sklearn.datasets import load_diabetes

import lossdsl

FILE = Path(__file__).resolve().parent / "scaled_squared_error.loss"


def main() -> None:
    epochs = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    keras.utils.set_random_seed(1)
    inputs, target = load_diabetes(return_X_y=True, scaled=False)
    inputs = (inputs - inputs.mean(axis=0)) / inputs.std(axis=0)

    model = keras.Sequential(
        [
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1),
        ]
    )
    model.compile(optimizer=keras.optimizers.RMSprop(0.001), loss=lossdsl.compile(FILE), metrics=["mae"])
    history = model.fit(inputs, target, epochs=epochs, verbose=0).history
    for epoch in sorted({0, epochs // 4, epochs // 2, epochs - 1}):
        loss, error = history["loss"][epoch], history["mae"][epoch]
        print(f"epoch {epoch + 1:3}: loss {loss:8.3f}, mean absolute error {error:7.2f}")


if __name__ == "__main__":
    main()
