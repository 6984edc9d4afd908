"""What the page of a loss shows, worked out once for each loss and kept until the loss or lossdsl changes."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from mathml import mathml

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.checks.subject import inputs_of, parameters_of
from lossdsl.errors import LossTypeError
from lossdsl.ir.bounds import Bounds
from lossdsl.ir.inputs import DOMAINS, MIXED, InputSpec
from lossdsl.ir.loss import INVARIANCES, Loss, ParameterSpec
from lossdsl.plot.view import View
from lossdsl.runtime.spec import LoadedLoss
from lossdsl.targets import TARGETS

ROOT = Path(__file__).resolve().parents[1]
Facts = dict[str, Any]

_SPANS = {"real": 3.0, "logits": 4.0}
_MARGIN = 1e-3
"""How near to the end of an open domain curves and sliders go, as a share of the whole."""


def facts(name: str) -> Facts:
    """What is known of a built-in loss, as JSON has it."""
    loss = lossdsl.load(name, **_needed(name))
    program, ir = loss.program, loss.program.loss
    defaults = {one: loss.parameters[one] for one in loss.parameters if one not in ir.settled}
    variants = list(_variants(name))
    return {
        "name": name,
        "family": catalog.family_of(name),
        "title": catalog.title(name),
        "aliases": catalog.aliases(name),
        "text": catalog.paragraphs(name),
        "formula": mathml(program.latex),
        "inputs": [_input(ir, spec) for spec in ir.inputs],
        "parameters": [_parameter(program, one, loss.parameters[one.name]) for one in ir.parameters],
        "required": [*dict.fromkeys([*(one.text for one in ir.requirements), *(one.span.text for one in ir.orders)])],
        "expected": [one.text for one in ir.expectations],
        "settled": ir.setting,
        "source": ir.source.text.strip() + "\n",
        "code": {target: program.emitted(target, defaults) for target in TARGETS},
        "verdicts": [
            _verdict(ir, variants, one, known)
            for one, known in lossdsl.properties(name).items()
            if one not in INVARIANCES or known.how == "proved"  # of most losses nobody would ask
        ],
        "views": variants[0]["views"],
        "variants": variants,
    }


def _variants(name: str) -> Iterator[Facts]:
    """The loss under each setting of its switches, the usual one first: what can be drawn of it, and its JavaScript.

    A parameter that is true or false settles the formula, so that each setting has code of its own; a whole number is
    handed in like any other.
    """
    file, needed = pipeline.builtin(name), _needed(name)
    assert file is not None
    every = pipeline.parameters(file)
    switches = [spec for spec in every if spec.kind == "bool"]
    whole = [spec.name for spec in every if spec.kind == "int"]
    for values in itertools.product(*((bool(spec.default), not spec.default) for spec in switches)):
        settled = {str(spec.name): value for spec, value in zip(switches, values, strict=True)}
        loss = lossdsl.load(name, **needed, **settled)
        free = pipeline.program(file, settled, whole)
        defaults = {one: value for one, value in loss.parameters.items() if one not in settled}
        yield {
            "set": settled,
            "setting": free.loss.setting,
            "views": [*_views(loss), *_examples(loss.program, settled)],
            "module": free.emitted("javascript", defaults),
        }


def _needed(name: str) -> dict[str, Any]:
    """Values for the parameters that have no default: those of the first example."""
    file = pipeline.builtin(name)
    assert file is not None
    missing = {spec.name for spec in pipeline.parameters(file) if spec.default is None}
    if not missing:
        return {}
    loss = pipeline.program(file).loss
    return {key: value for key, value in parameters_of(loss, loss.examples[0]).items() if key in missing}


def _input(loss: Loss, spec: InputSpec) -> Facts:
    role = "prediction" if spec is loss.prediction else "target" if spec is loss.target else "further input"
    return {"name": spec.name, "role": role, "values": spec.values, "layout": spec.layout or "element"}


def _parameter(program: pipeline.Program, one: ParameterSpec, value: Any) -> Facts:
    """A parameter; one that is a number has an interval for its slider."""
    found: Facts = {"name": one.name, "kind": one.kind, "value": _finite(value), "default": one.default}
    if one.kind == "real":
        found["low"], found["high"] = _interval(program.known[one.node], float(value))
    return found


def _interval(bounds: Bounds, value: float) -> tuple[float, float]:
    """From where to where a number of some size may go."""
    size = abs(value) or 1.0
    low, high = float(bounds.low), float(bounds.high)
    ends = (low if math.isfinite(low) else -2 * size, high if math.isfinite(high) else 3 * size)
    if ends[1] - ends[0] > 20 * size:
        ends = (max(ends[0], -2 * size), min(ends[1], 3 * size))
    margin = _MARGIN * (ends[1] - ends[0])
    ends = (ends[0] + margin * bounds.low_open, ends[1] - margin * bounds.high_open)
    return min(ends[0], value), max(ends[1], value)


def _verdict(loss: Loss, variants: Sequence[Facts], name: str, known: Any) -> Facts:
    point = _point(loss, variants, known)
    return {"name": name, "how": known.how, "by": known.by, "more": known.more, "point": point}


def _point(loss: Loss, variants: Sequence[Facts], known: Any) -> Facts | None:
    """The point that refutes a claim, as inputs, parameters and switches; None where there is no such variant."""
    at = {str(name): _finite(value) for name, value in known.at.items()}
    names = [[str(node.name) for node in spec.nodes] for spec in loss.inputs]
    settings = [str(part).removeprefix("with ") for part in known.detail.split("; ") if part.startswith("with ")]
    at_setting = [one["set"] for one in variants if not settings or settings == [one["setting"]]]
    if not all(name in at for group in names for name in group) or not at_setting:
        return None
    inputs = [_packed([at.pop(name) for name in group]) for group in names]
    return {"inputs": inputs, "parameters": at, "set": at_setting[0]}


def _packed(parts: list[Any]) -> Any:
    """Several components as one input: side by side along the last axis, which one of a number for each row lacks."""
    if len(parts) == 1:
        return parts[0]
    if any(_depth(part) > 1 for part in parts):
        return [_packed(list(rows)) for rows in zip(*parts, strict=True)]
    return [number for part in parts for number in (part if isinstance(part, list) else [part])]


def _depth(value: Any) -> int:
    return 1 + _depth(value[0]) if isinstance(value, list) else 0


def _finite(value: Any) -> Any:
    """Numbers as JSON has them: infinite ones as texts."""
    if isinstance(value, dict):
        return {str(key): _finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


# --- what can be drawn --------------------------------------------------------------------------------------------


def _views(loss: LoadedLoss) -> list[Facts]:
    """A loss of one target and one prediction as a curve: over the error, the prediction, or two class scores."""
    try:
        view = View(loss)
    except LossTypeError:
        return []
    if view.is_coupled or (view.is_of_vectors and not view.is_of_classes) or not _tells(view):
        return []  # a vector of one element, or a batch of one sample, says little
    ir = loss.program.loss
    is_label = ir.target is not None and ir.target.is_label
    common = {"label": is_label, "inputs": [spec.identifier for spec in ir.inputs]}

    def over(kind: str, low: float, high: float, along: str, targets: Sequence[float], **more: Any) -> Facts:
        ends = {"low": low, "high": high, "along": along, "targets": list(targets)}
        return {"kind": kind, **common, **ends, **more}

    low, high = view.range
    if view.is_of_classes:
        return [over("classes", low, high, view.along(shifted=False), (0, 1), pair=view.pair)]
    t, x = view.names
    low, high = _inside(ir.prediction.domain, low, high)
    targets = [target for target in view.targets if _levels(view, target) > 2] or view.targets  # 0 of a percentage
    plain = over("prediction", low, high, f"prediction {x}", targets, target=t if view.has_target else "")
    if view.has_target and ir.target is not None and not is_label:
        size = max(view.targets, key=abs)
        plain["target_low"], plain["target_high"] = _interval(DOMAINS[ir.target.domain], size)
    return [over("error", -3.0, 3.0, f"error {x} − {t}", (0,)), plain] if view.is_shift_invariant else [plain]


def _tells(view: View) -> bool:
    """Whether the curve is one: there are values, and not always the same."""
    return any(_levels(view, target) > 1 for target in view.targets)


def _levels(view: View, target: float) -> int:
    """How many different values a curve has, at a few predictions."""
    with np.errstate(all="ignore"):
        values = view.sampled(np.linspace(*view.range, 15)[1:-1], target)[0]
    return len(set(values[np.isfinite(values)].tolist()))


def _inside(domain: str, low: float, high: float) -> tuple[float, float]:
    """An interval without the ends that do not belong to a domain."""
    bounds = DOMAINS[domain]
    margin = _MARGIN * (high - low)
    is_open = domain in ("prob", "simplex", "logprob")
    return (
        low + margin if (bounds.low_open or is_open) and low == bounds.low else low,
        high - margin if (bounds.high_open or is_open) and high == bounds.high else high,
    )


def _examples(program: pipeline.Program, settled: Mapping[str, Any]) -> list[Facts]:
    """One number of the prediction at a time, the rest as in an example of the file.

    One with the switches as they are, and all else by default, if there is any.
    """
    loss = program.loss
    usual = {str(spec.name): spec.default for spec in loss.parameters if spec.kind == "bool"}

    def is_other(example: Any) -> tuple[bool, bool]:
        given = parameters_of(loss, example)
        return {one: given.get(one, value) for one, value in usual.items()} != settled, not given.keys() <= usual.keys()

    if loss.prediction.is_label or not loss.examples:
        return []
    *some, last = sorted(loss.examples, key=is_other)
    drawn = next((one for one in some if _count(_given(loss, one)[loss.prediction]) > 1), last)
    by_spec = _given(loss, drawn)
    parameters = {key: _finite(value) for key, value in parameters_of(loss, drawn).items() if key not in settled}
    return [{
        "kind": "example", "given": [_finite(by_spec[spec]) for spec in loss.inputs],
        "inputs": [spec.identifier for spec in loss.inputs],
        "prediction": loss.inputs.index(loss.prediction),
        **_ends(loss.prediction, by_spec[loss.prediction]),
        "parameters": parameters,
        "along": f"one number of {loss.prediction.name}",
        "places": _places(loss.prediction, by_spec[loss.prediction]),
    }]  # fmt: skip


def _given(loss: Loss, example: Any) -> dict[InputSpec, Any]:
    """The inputs of an example."""
    return {loss.input(one): value for one, value in inputs_of(loss, example).items()}


def _ends(spec: InputSpec, value: Any) -> Facts:
    """Between which numbers those of a prediction lie, and how much of that is drawn.

    Where its parts are of several kinds, each is a list, with an entry for each place of the last axis.
    """
    kinds = [spec.domain]
    if spec.domain == MIXED:
        row = np.asarray(value)
        kinds = [""] * row.shape[-1]
        for part, place in spec.pieces(row.shape[-1]):
            kinds[place] = [part.domain] * len(kinds[place])
    ends = {
        "low": [_finite(float(DOMAINS[kind].low)) for kind in kinds],
        "high": [_finite(float(DOMAINS[kind].high)) for kind in kinds],
        "span": [_SPANS.get(kind, 3.0) for kind in kinds],
    }
    return ends if spec.domain == MIXED else {key: one for key, (one,) in ends.items()}


def _places(spec: InputSpec, value: Any) -> list[str]:
    """What the places of the last axis are called, where a prediction has parts."""
    if len(spec.nodes) == 1:
        return []
    blocks = [range(np.shape(value)[-1])[block] for block in spec.blocks(np.shape(value)[-1])]
    pairs = zip(spec.nodes, blocks, strict=True)
    return [f"{node.name}[{at}]" if len(own) > 1 else str(node.name) for node, own in pairs for at in range(len(own))]


def _count(value: Any) -> int:
    return sum(map(_count, value)) if isinstance(value, list) else 1


# --- all of them --------------------------------------------------------------------------------------------------


def stamp() -> str:
    """A digest of all that facts are made by."""
    found = hashlib.sha256()
    for path in sorted([*(ROOT / "lossdsl").rglob("*.py"), *Path(__file__).parent.glob("*.py")]):
        found.update(path.read_bytes())
    return found.hexdigest()


def kept(name: str, folder: Path, made_by: str) -> Facts:
    """The facts of a loss, from the folder where they were found before, or worked out."""
    file = pipeline.builtin(name)
    assert file is not None
    key = hashlib.sha256(f"{made_by} {(catalog.read(name) or file)!r}".encode()).hexdigest()[:24]
    path = folder / f"{name}.{key}.json"
    if path.exists():
        found: Facts = json.loads(path.read_text(encoding="utf-8"))
        return found
    made = facts(name)
    for old in folder.glob(f"{name}.*.json"):
        old.unlink()
    path.write_text(json.dumps(made, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    return made


def every(names: list[str], folder: Path, jobs: int) -> list[Facts]:
    """The facts of losses, worked out by several processes."""
    folder.mkdir(parents=True, exist_ok=True)
    made_by = stamp()
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(kept, names, [folder] * len(names), [made_by] * len(names), chunksize=4))
