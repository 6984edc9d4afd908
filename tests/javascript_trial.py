"""Emitted JavaScript under node beside the numpy twin: one process of node runs all losses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from shipped import PUBLISHED
from test_published import arrays, parameters

import lossdsl
from lossdsl import pipeline
from lossdsl.checks.subject import inputs_of, parameters_of

RUNNER = """
import { readFileSync, writeFileSync } from "node:fs";
const NUMBERS = { nan: NaN, inf: Infinity, "-inf": -Infinity };
const { cases } = JSON.parse(readFileSync(0, "utf8"), (_, value) => NUMBERS[value] ?? value);
const shown = (key, value) => (typeof value === "number" && !Number.isFinite(value) ? String(value) : value);
const found = [];
for (const { module, calls } of cases) {
  const made = await import(module);
  found.push(calls.map(({ name, given }) => {
    try { return made[name](...given); } catch (error) { return `${error.name}: ${error.message}`; }
  }));
}
process.stdout.write(JSON.stringify(found, shown));
"""


def run(folder: Path, cases: list[tuple[str, list[tuple[str, list[Any]]]]]) -> list[list[Any]]:
    """What functions of modules return: for each module's text, calls as a name and arguments; errors are texts."""
    given = []
    for place, (text, calls) in enumerate(cases):
        path = folder / f"loss{place}.mjs"
        path.write_text(text, encoding="utf-8")
        given.append({"module": str(path), "calls": [{"name": name, "given": _plain(args)} for name, args in calls]})
    (folder / "runner.mjs").write_text(RUNNER, encoding="utf-8")
    done = subprocess.run(
        ["node", str(folder / "runner.mjs")],
        input=json.dumps({"cases": given}), capture_output=True, text=True, check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found: list[list[Any]] = json.loads(done.stdout)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return {"nan": "nan", "inf": "inf", "-inf": "-inf"}[str(value)]
    return value


def trials(names: Iterable[str]) -> Iterator[tuple[str, dict[str, Any], dict[str, Any]]]:
    """For losses their names, with the parameters and the inputs of examples and of published values."""
    for name in names:
        file = pipeline.builtin(name)
        assert file is not None
        loss = pipeline.program(file).loss
        for example in loss.examples:
            yield name, dict(parameters_of(loss, example)), inputs_of(loss, example)
    wanted = set(names)
    for entry in PUBLISHED:
        if entry["loss"] in wanted and "axis" not in entry["parameters"]:
            yield entry["loss"], parameters(entry), arrays(entry)


def compared(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, Any, Any]]:
    """What is compared, what the twin gives, and what the emitted module gives: values and gradients."""
    modules: dict[tuple[str, str], tuple[str, list[tuple[str, list[Any]]], list[tuple[str, Any]]]] = {}
    for name, given, inputs in trials(names):
        loss = lossdsl.load(name, **given)
        ir = loss.program.loss
        key = name, ir.setting
        if key not in modules:
            modules[key] = loss.program.emitted("javascript", {}), [], []
        _, calls, wanted = modules[key]
        by_spec = {ir.input(one): value for one, value in inputs.items()}
        open_ones = [one.name for one in ir.parameters if one.name not in ir.settled]
        args = [by_spec[spec] for spec in ir.inputs] + [loss.parameters[one] for one in open_ones]
        calls += [(name, args), (f"{name}_gradient", args)]
        value, slope = loss.numpy.value_and_grad(wrt=ir.prediction.identifier, **inputs)
        wanted += [(f"{name}({given})", value), (f"{name}_gradient({given})", slope)]
    found = run(folder, [(text, calls) for text, calls, _ in modules.values()])
    for (_, _, wanted), values in zip(modules.values(), found, strict=True):
        for (what, expected), value in zip(wanted, values, strict=True):
            yield what, expected, value
