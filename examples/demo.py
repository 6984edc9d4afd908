"""The tour: a loss from its text to trained models, on data that statsmodels and scikit-learn bring along.

    python examples/demo.py [--out FOLDER]

Four parts: a `.loss` file is checked and compiled; Huber against squared error on the stack loss data, whose outliers
are known; three quantiles of what households spend on food; a small network on the diabetes data, as recorded and with
mistakes in it. Every result is held against what it should be, and the exit status is 1 if one is not.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

# Read by TensorFlow when it is imported: no notices, and sums added in an order that does not depend on the CPU.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")

import keras
import numpy as np
import statsmodels.api as sm
import tensorflow as tf
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sklearn.datasets import load_diabetes
from statsmodels.datasets import engel, stackloss

import lossdsl
from lossdsl import plot

HERE = Path(__file__).resolve().parent
SEED = 7
STEPS = 100  # taken at a time inside TensorFlow: the models are so small that Python would take most of the time

OUTLIERS = (1, 3, 4, 21)
"""The observations of `stackloss` that the literature calls outliers, as it counts them: from 1 (Daniel, Wood 1971)."""


class Claim(NamedTuple):
    """Something that the tour shows: what, how it came out, and whether that is as it should be."""

    text: str
    found: str
    holds: bool


def main() -> int:
    """Runs the tour; gives the exit status."""
    options = argparse.ArgumentParser(description="A loss from its text to trained models.")
    options.add_argument("--out", type=Path, default=HERE.parent / "out", help="the folder for pictures")
    out = options.parse_args().out
    start = time.monotonic()
    console = Console(highlight=False)
    file = HERE / "huber_pieces.loss"

    console.rule("[bold]1  A loss is a text", align="left")
    claims = [checked(console, file)]
    console.rule("[bold]2  Stack loss: what Huber's loss does with outliers", align="left")
    claims += robust_regression(console, file)
    console.rule("[bold]3  Food expenditure: three quantiles at once", align="left")
    claims += quantile_regression(console)
    console.rule("[bold]4  Diabetes: a network, and mistakes in its data", align="left")
    claims += network(console, file)
    console.rule("[bold]5  Pictures", align="left")
    for picture in pictures(file, out):
        console.print(f"written: {picture}", soft_wrap=True)

    console.rule("[bold]What came out", align="left")
    table = columns("", "claim", "found", justify="left")
    for claim in claims:
        table.add_row("[green]yes" if claim.holds else "[bold red]NO", claim.text, claim.found)
    console.print(table)
    console.print(f"\n{time.monotonic() - start:.0f} s")
    return 0 if all(claim.holds for claim in claims) else 1


# --- 1 ------------------------------------------------------------------------------------------------------------


def checked(console: Console, file: Path) -> Claim:
    """Shows a file, checks it without Keras, and shows what a mistake in it would look like."""
    text = file.read_text(encoding="utf-8")
    console.print(text.rstrip(), markup=False, soft_wrap=True, style="cyan")
    report = lossdsl.check(file)
    console.print(f"\nlossdsl check: {report}", markup=False, soft_wrap=True)
    console.print("\nWith `delta` misspelt in line 9 it would say:", markup=False)
    mistaken = lossdsl.check(text.replace("(e) < delta", "(e) < dleta"))
    console.print(str(mistaken), markup=False, soft_wrap=True, style="dim")
    return Claim(f"{file.name} passes its checks", report.passed[0], report.ok and not report.counted)


# --- 2 ------------------------------------------------------------------------------------------------------------


def robust_regression(console: Console, file: Path) -> list[Claim]:
    """Fits stack loss linearly by squared error and by Huber's loss, and compares with statsmodels."""
    data = stackloss.load_pandas()
    names = ["constant", "air flow", "water temp.", "acid conc."]
    inputs, target = data.exog.to_numpy(dtype=float), data.endog.to_numpy(dtype=float)
    delta = 1.0  # doubt begins at an error of one unit of stack loss, a third of the residual scale of least squares
    losses = {
        "squared": lossdsl.compile("mean_squared_error"),
        "huber": lossdsl.compile(file, delta=delta),
    }
    found = fitted(console, "21 observations", inputs, target, losses, steps=4000, rate=1.0)

    design = sm.add_constant(inputs)
    squares = sm.OLS(target, design).fit()
    # statsmodels counts the tuning constant in units of a scale; held fixed, the two describe one and the same minimum
    scale = sm.robust.scale.mad(squares.resid, center=0)
    rlm = sm.RLM(target, design, M=sm.robust.norms.HuberT(t=delta / scale)).fit(update_scale=False)

    table = columns("coefficients", *names)
    rows = {
        "squared error": found["squared"],
        "  statsmodels OLS": squares.params,
        f"Huber, delta = {delta:g}": found["huber"],
        "  statsmodels RLM": rlm.params,
    }
    for text, row in rows.items():
        table.add_row(text, *(f"{number:.4f}" for number in row))
    console.print(table)

    residuals = {name: target - design @ weights for name, weights in found.items()}
    scales = {name: float(np.median(np.abs(row)) / 0.6745) for name, row in residuals.items()}
    known = np.array(OUTLIERS) - 1
    rest = np.setdiff1d(np.arange(len(target)), known)
    table = columns("residuals", "squared error", "in scales", "Huber", "in scales")
    for place in known:
        cells = [f"{form:.2f}" for name, row in residuals.items() for form in (row[place], row[place] / scales[name])]
        table.add_row(f"outlier {place + 1}", *cells)
    cells = []
    for name, row in residuals.items():
        size = float(np.mean(np.abs(row[rest])))
        cells += [f"{size:.2f}", f"{size / scales[name]:.2f}"]
    table.add_row(f"mean size of the other {len(rest)}", *cells)
    console.print(table)

    far = np.abs(residuals["huber"]) / scales["huber"]
    tight = {name: float(np.mean(np.abs(row[rest]))) for name, row in residuals.items()}
    distance = largest_difference(found["huber"], rlm.params)
    return [
        Claim(
            "stack loss: only the outliers exceed 2.5 scales",
            f"from {far[known].min():.2f}; rest to {far[rest].max():.2f}",
            bool(far[known].min() > 2.5 > far[rest].max()),
        ),
        Claim(
            "stack loss: Huber fits the rest more tightly",
            f"{tight['huber']:.2f} against {tight['squared']:.2f}",
            tight["huber"] < 0.75 * tight["squared"],
        ),
        Claim("stack loss: coefficients are RLM's, within 1 %", f"{distance:.4%} off", distance < 0.01),
    ]


# --- 3 ------------------------------------------------------------------------------------------------------------


def quantile_regression(console: Console) -> list[Claim]:
    """Fits three quantiles of food expenditure by income, and compares coverage and coefficients."""
    data = engel.load_pandas().data
    income, spent = data[["income"]].to_numpy(dtype=float), data["foodexp"].to_numpy(dtype=float)
    levels = (0.1, 0.5, 0.9)
    losses = {f"q{level:g}": lossdsl.compile("quantile", q=level) for level in levels}
    found = fitted(console, f"{len(spent)} households", income, spent, losses, steps=4000, rate=50.0)

    design = sm.add_constant(income)
    table = columns("quantile", "below it", "constant", "QuantReg", "per income", "QuantReg")
    coverages, distances = [], []
    for level, weights in zip(levels, found.values(), strict=True):
        reference = sm.QuantReg(spent, design).fit(q=level).params
        coverage = float(np.mean(spent <= design @ weights))
        pairs = [f"{number:.4f}" for pair in zip(weights, reference, strict=True) for number in pair]
        table.add_row(f"{level:.0%}", f"{coverage:.1%}", *pairs)
        coverages.append(abs(coverage - level))
        distances.append(largest_difference(weights, reference))
    console.print(table)
    return [
        Claim("engel: coverage is right within 2 points", f"{max(coverages):.2%} off", max(coverages) < 0.02),
        Claim("engel: coefficients are QuantReg's, within 1 %", f"{max(distances):.4%} off", max(distances) < 0.01),
    ]


# --- 4 ------------------------------------------------------------------------------------------------------------


def network(console: Console, file: Path) -> list[Claim]:
    """Trains a network for each of two losses, on the data as recorded and with decimal points slipped."""
    inputs, target = load_diabetes(return_X_y=True, scaled=False)
    order = np.random.default_rng(SEED).permutation(len(target))
    train, test = order[:310], order[310:]
    inputs = (inputs - inputs[train].mean(axis=0)) / inputs[train].std(axis=0)
    slipped = target.copy()
    slipped[train[::10]] *= 10  # every tenth value to learn from has its decimal point in the wrong place
    losses = {"squared": lossdsl.compile("mean_squared_error"), "huber": lossdsl.compile(file, delta=0.5)}

    table = columns("training data", "squared error", "Huber")
    errors: dict[str, dict[str, float]] = {}
    for text, values in (("as recorded", target), ("every tenth slipped", slipped)):
        low, middle, high = np.quantile(values[train], [0.25, 0.5, 0.75])  # unlike the mean, unmoved by the slips
        model = twin_network(inputs.shape[1], losses)
        learnt = ((values[train] - middle) / (high - low))[:, None]
        trained(console, f"diabetes, {text}", model, inputs[train], dict.fromkeys(losses, learnt), epochs=40, batch=31)
        predicted = model.predict(inputs[test], verbose=0)
        errors[text] = {
            name: float(np.mean(np.abs(row[:, 0] * (high - low) + middle - target[test])))
            for name, row in predicted.items()
        }
        table.add_row(text, *(f"{errors[text][name]:.1f}" for name in losses))
    console.print("mean absolute error on the 132 patients held out:")
    console.print(table)

    clean, dirty = errors["as recorded"], errors["every tenth slipped"]
    return [
        Claim(
            "diabetes, as recorded: Huber loses 5 % at most",
            f"{clean['huber']:.1f} against {clean['squared']:.1f}",
            clean["huber"] < 1.05 * clean["squared"],
        ),
        Claim(
            "diabetes, slipped: Huber gains a third at least",
            f"{dirty['huber']:.1f} against {dirty['squared']:.1f}",
            dirty["huber"] < 0.67 * dirty["squared"],
        ),
    ]


def twin_network(width: int, losses: Mapping[str, Any]) -> keras.Model:
    """A network for each loss, side by side in one model, all starting from the same weights."""
    start = keras.Input((width,))
    outputs = {}
    for name in losses:
        keras.utils.set_random_seed(SEED)
        layer = keras.layers.Dense(16, "relu")(start)
        layer = keras.layers.Dense(16, "relu")(layer)
        outputs[name] = keras.layers.Dense(1, name=name)(layer)
    model = keras.Model(start, outputs)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss=dict(losses), steps_per_execution=10, jit_compile=False)
    return model


# --- 5 ------------------------------------------------------------------------------------------------------------


def pictures(file: Path, out: Path) -> list[Path]:
    """The losses of the tour with their slopes."""
    return [
        plot.family(file, "delta", [0.5, 1.0, 2.0], out / "huber.png"),
        plot.family("quantile", "q", [0.1, 0.5, 0.9], out / "quantile.png"),
        plot.draw([lossdsl.load("mean_squared_error"), lossdsl.load(file)], out / "huber_and_squared_error.png"),
    ]


# --- training -----------------------------------------------------------------------------------------------------


def fitted(
    console: Console,
    text: str,
    inputs: np.ndarray,
    target: np.ndarray,
    losses: Mapping[str, Any],
    steps: int,
    rate: float,
) -> dict[str, np.ndarray]:
    """The coefficients of a linear model for each loss, constant first, in the units of the data.

    All data make one batch, and the step size falls to nothing, so that the minimum is reached to four digits even
    where the loss has a kink there. `rate` is the first step size in units of the target.
    """
    keras.utils.set_random_seed(SEED)
    mean, spread = inputs.mean(axis=0), inputs.std(axis=0)
    start = keras.Input((inputs.shape[1],))
    outputs = {name: keras.layers.Dense(1, kernel_initializer="zeros", name=name)(start) for name in losses}
    model = keras.Model(start, outputs)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(
        optimizer=keras.optimizers.Adam(schedule),
        loss=dict(losses),
        steps_per_execution=STEPS,
        jit_compile=False,
    )
    standard = ((inputs - mean) / spread).astype("float32")
    wanted = dict.fromkeys(losses, target.astype("float32")[:, None])
    data = tf.data.Dataset.from_tensors((standard, wanted)).repeat()
    trained(console, text, model, data, None, epochs=steps // STEPS, steps=STEPS)
    found = {}
    for name in losses:
        weights, bias = (np.asarray(array, dtype=float) for array in model.get_layer(name).get_weights())
        slopes = weights[:, 0] / spread
        found[name] = np.concatenate([bias - np.sum(slopes * mean), slopes])
    return found


def trained(
    console: Console,
    text: str,
    model: keras.Model,
    inputs: Any,
    target: Any,
    epochs: int,
    batch: int | None = None,
    steps: int | None = None,
) -> None:
    """Trains with a line of progress, which a terminal redraws and a file gets once."""
    parts = (TextColumn("{task.description:30}"), BarColumn(24), TextColumn("loss {task.fields[loss]:.4f}"))
    with Progress(*parts, TimeElapsedColumn(), console=console) as progress:
        task = progress.add_task(text, total=epochs, loss=float("nan"))

        def advance(epoch: int, logs: Mapping[str, float]) -> None:
            progress.update(task, completed=epoch + 1, loss=logs["loss"])

        model.fit(
            inputs,
            target,
            batch_size=batch,
            epochs=epochs,
            steps_per_epoch=steps,
            shuffle=batch is not None,
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=advance)],
        )


def columns(first: str, *others: str, justify: Literal["left", "right"] = "right") -> Table:
    """An empty table with these headings."""
    table = Table(first, box=None, padding=(0, 2, 0, 0))
    for heading in others:
        table.add_column(heading, justify=justify)
    return table


def largest_difference(found: np.ndarray, wanted: Any) -> float:
    """The largest relative difference of two rows of coefficients."""
    reference = np.asarray(wanted, dtype=float)
    return float(np.max(np.abs(found - reference) / np.abs(reference)))


if __name__ == "__main__":
    sys.exit(main())
