"""Measures losses on a GPU: beside Keras's functions, fused last layers, and the catalogue's values and gradients.

    python benchmarks/gpu.py [--on torch|jax|tensorflow …] [--minutes M] [--write] [--anywhere]

Each library has a process of its own, and a third of the time; where that was too short, the table says so. Times are
medians of calls in turn, after the device has finished: value and gradient of 4096x1024 numbers, float32, and of a last
layer of 128,000 classes with its loss. The catalogue's losses are run on the examples in their files and held against
numpy. `--write` puts the tables into docs/performance.md. Where no library sees a GPU, it says so and stops;
`--anywhere` goes on with what there is, to try the script.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")  # before what is imported below hides it

import numpy as np
from fused_ways import WAYS, problem
from sections import put
from vs_keras import NAMES, PARAMETERS, SEED, STEPS, inputs

OUT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
TITLE = "On a GPU"
SHAPE = (4096, 1024)
HEAD = (2048, 512, 128_000)
"""Places, width and classes of the last layer."""
NATIVE, OURS = "by hand, whole logits", "ours, fused"
DIGITS = 1e-3
"""What values and slopes in float32 may be off, in the size of the largest."""
Row = dict[str, Any]


def device(library: str) -> str:
    """The name of the GPU that a library sees; nothing if it sees none, or is not there."""
    try:
        if library == "torch":
            import torch

            return torch.cuda.get_device_name() if torch.cuda.is_available() else ""
        if library == "jax":
            import jax

            return next((one.device_kind for one in jax.devices() if one.platform == "gpu"), "")
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        return str(tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU")) if found else ""
    except ImportError:
        return ""


def finished(library: str) -> Callable[[Any], None]:
    """What waits until the device has worked out a result."""
    if library == "torch":
        import torch

        return lambda found: torch.cuda.synchronize() if torch.cuda.is_available() else None
    if library == "jax":
        import jax

        return lambda found: jax.block_until_ready(found) and None
    return lambda found: None  # the calls below wait themselves: they bring their results to the host


def medians(steps: dict[str, Callable[[], Any]], wait: Callable[[Any], None], calls: int = 21) -> dict[str, float]:
    """The median time of each step in ms, of calls in turn."""
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(calls + 2):
        for name, step in steps.items():
            start = time.perf_counter()
            wait(step())
            if number > 1:
                taken[name].append(time.perf_counter() - start)
    return {name: 1e3 * statistics.median(each) for name, each in taken.items()}


def beside_keras(library: str) -> Iterator[Row]:
    """The rows of losses beside Keras's functions."""
    import keras

    from lossdsl import losses

    for name in NAMES:
        function, options = name.split()[0], dict(PARAMETERS.get(name, {}))
        if name.endswith("logits"):
            options["from_logits"] = True
        t, x = inputs(name, SHAPE, np.random.default_rng([SEED, *SHAPE]))
        ours, theirs = (STEPS[library](partial(getattr(home, function), **options), t, x)
                        for home in (losses, keras.losses))  # fmt: skip
        for mode in ours:
            try:
                found = medians({"ours": ours[mode], "theirs": theirs[mode]}, finished(library))
            except NotImplementedError as error:
                print(f"{name} {mode}: {error}", file=sys.stderr)
                continue
            yield {"kind": "loss", "name": name, "mode": mode, **found}


def of_heads(library: str) -> Iterator[Row]:
    """The rows of fused last layers beside whole logits."""
    for loss in ("cross-entropy", "smoothing, cap, z-loss, ignored"):
        makers = WAYS[library](problem(loss, *HEAD))
        found = medians({name: makers[name]() for name in (OURS, NATIVE)}, finished(library), calls=7)
        yield {"kind": "head", "name": loss, "mode": "", "ours": found[OURS], "theirs": found[NATIVE]}


def slope_of(library: str, loss: Callable[[Any], Any], x: Any) -> tuple[Any, Any]:
    """The values of a loss of a prediction, and the gradient of their sum."""
    if library == "torch":
        import torch

        leaf = torch.tensor(x, requires_grad=True)
        value = loss(leaf)
        return value.detach().cpu().numpy(), torch.autograd.grad(value.sum(), leaf)[0].cpu().numpy()
    if library == "jax":
        import jax

        value, pull = jax.vjp(loss, jax.numpy.asarray(x))
        return np.asarray(value), np.asarray(pull(jax.numpy.ones_like(value))[0])
    import tensorflow as tf

    leaf = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(leaf)
        value = loss(leaf)
    return value.numpy(), tape.gradient(value, leaf, unconnected_gradients="zero").numpy()


def of_catalogue(library: str) -> Iterator[Row]:
    """For each built-in, how far value and gradient of its first example are from numpy's, in the size of the largest.

    None where Keras takes the example otherwise: as a batch of numbers, where it is one sample.
    """
    import lossdsl
    from lossdsl import catalog, pipeline
    from lossdsl.checks.subject import Subject, inputs_of, parameters_of

    for name in catalog.names():
        source = catalog.read(name)
        assert source is not None
        loss = Subject(pipeline.parsed(source)).loss
        if not loss.examples:
            continue
        given = {key: np.asarray(each) for key, each in inputs_of(loss, loss.examples[0]).items()}
        more = parameters_of(loss, loss.examples[0])
        prediction = loss.prediction.identifier
        x = np.asarray(given.pop(prediction), "float32")
        if x.ndim < 2:
            continue
        wanted = lossdsl.load(name, **more).numpy.value_and_grad(**given, **{prediction: x.astype(float)})
        target = [given[one.identifier] for one in loss.inputs if one is not loss.prediction]
        y_true = target[0] if len(target) == 1 else tuple(target) or x
        ours = lossdsl.compile(name, reduction=None, **more)
        found = slope_of(library, lambda leaf, ours=ours, y_true=y_true: ours(y_true, leaf), x)
        count = len(x) if np.ndim(wanted[0]) == 0 else 1  # one number for the batch stands there for each sample
        pairs = zip(found, (wanted[0], count * wanted[1]), strict=True)
        gaps = [np.max(np.abs(one - other)) / max(1e-3, np.max(np.abs(other))) for one, other in pairs]
        yield {"kind": "value", "name": name, "mode": "", "error": float(max(gaps))}


def here(library: str, minutes: float) -> None:
    """What a process of its own measures, a line of JSON each."""
    if library == "torch" and device(library):
        import torch

        torch.set_default_device("cuda")
    end = time.monotonic() + 60 * minutes
    left = 0
    for rows in (of_catalogue(library), of_heads(library), beside_keras(library)):
        for row in rows:
            print(json.dumps(row), flush=True)
            if time.monotonic() > end:
                left += 1
                break
    print(json.dumps({"kind": "left", "count": left}), flush=True)


def measured(library: str, minutes: float) -> list[Row]:
    command = [sys.executable, __file__, "--here", "--on", library, "--minutes", str(minutes)]
    environment = {**os.environ, "KERAS_BACKEND": library}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def lines_of(library: str, rows: list[Row]) -> list[str]:
    """What was measured on one library, as rows of the table and a line about the catalogue."""
    lines = [
        f"| {library} {row['mode']} | {row['name']} | {row['ours']:.3g} / {row['theirs']:.3g} "
        f"= {row['ours'] / row['theirs']:.2f} |"
        for row in rows
        if "ours" in row
    ]
    checked = [row for row in rows if row["kind"] == "value"]
    wrong = [row["name"] for row in checked if not row["error"] < DIGITS]
    worst = f"those of {', '.join(wrong)} are not" if wrong else "none is further off"
    what = f"{len(checked)} built-ins, values and gradients within {DIGITS:g} of numpy's"
    lines.append(f"| {library} | {what} | {worst} |")
    if any(row.get("count") for row in rows):
        lines.append(f"| {library} | cut short | there was no time for the rest |")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--on", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--minutes", type=float, default=4.5, help="for all libraries together")
    parser.add_argument("--write", action="store_true", help="write the section of docs/performance.md")
    parser.add_argument("--anywhere", action="store_true", help="without a GPU too")
    parser.add_argument("--here", action="store_true", help="one library, in this process")
    parser.add_argument("--device", action="store_true", help="the GPU that one library sees")
    options = parser.parse_args()
    if options.device:
        print(device(options.on[0]))
        return
    if options.here:
        here(options.on[0], options.minutes)
        return
    seen = {}
    for library in options.on:
        command = [sys.executable, __file__, "--device", "--on", library]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        seen[library] = done.stdout.strip().splitlines()[-1:] or [""]
    used = [library for library, (name,) in seen.items() if name or options.anywhere]
    if not used:
        print(f"No GPU is seen by {', '.join(options.on)}: nothing was measured.")
        return
    where = "; ".join(f"{library} on {seen[library][0] or 'the processor'}" for library in used)
    head = [
        f"Written by `benchmarks/gpu.py --write`: {where}.",
        f"Value and gradient, {SHAPE[0]}x{SHAPE[1]} in float32: ours / Keras's in ms, medians of calls in",
        f"turn; last layers of {HEAD[2]} classes ({HEAD[0]} places, {HEAD[1]} wide), fused / whole logits by hand.",
        "",
        "| library | loss | time |",
        "|---|---|---|",
    ]
    print("\n".join(head))
    lines = []
    for library in used:
        some = lines_of(library, measured(library, options.minutes / len(used)))
        print("\n".join(some), flush=True)
        lines += some
    if options.write:
        put(OUT, TITLE, [*head, *lines])


if __name__ == "__main__":
    main()
