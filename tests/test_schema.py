"""The JSON schema for editors: held against what the reader of YAML takes, and does not."""

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

import lossdsl
from lossdsl import catalog, pipeline
from lossdsl.config import find_losses
from lossdsl.config.forms import Described
from lossdsl.config.schema import schema

WRONG = Path(__file__).parent / "wrong"
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def is_valid(text):
    return VALIDATOR.is_valid(yaml.safe_load(text))


def test_it_is_a_schema_that_a_command_writes():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    command = [sys.executable, "-m", "lossdsl.config.schema"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, encoding="utf-8")
    assert json.loads(done.stdout) == json.loads(json.dumps(SCHEMA))


@pytest.mark.parametrize(
    "text",
    [
        "huber",
        "huber:",
        "{mse: {}, reduction: none, axis: [1, 2]}",
        "{mse: , reduction: null, axis: null}",
        "loss: {huber: {delta: 0.5}, reduction: sum}",
        "train: {loss: {formula: 'abs(t - x)^p', params: {p: 1e-3}}}",
        "loss: [huber, {formula: abs(x), weight: {learned: 1.0, low: 0}}]",
        "losses: {a: huber, b: {terms: [huber, abs(x)], name: both}}",
        "outputs: {a: huber, b: {binary_crossentropy: {from_logits: true}, weight: 2}}",
        "batch: 32\noptimizer: {name: adam, steps: [1, 2]}",
    ],
)
def test_what_is_read_is_valid(text):
    assert is_valid(text)
    if not text.startswith("batch"):
        key = "loss" if text.startswith("loss:") else "train.loss" if text.startswith("train") else None
        key = "losses.b" if text.startswith("losses") else key
        lossdsl.from_yaml(text + "\n", key=key)


def test_every_built_in_with_its_defaults_is_valid():
    for name in catalog.names():
        specs = pipeline.parameters(pipeline.builtin(name))
        given = {one.name: one.default for one in specs if one.default not in (None, float("inf"), -float("inf"))}
        assert VALIDATOR.is_valid({"loss": {name: json.loads(json.dumps(given))}}), name
        assert not VALIDATOR.is_valid({"loss": {name: {"no_such_parameter": 1}}})


@pytest.mark.parametrize(
    "text",
    [
        "loss: {huber: {dleta: 1}}",
        "loss: {huber: {}, params: {}}",
        "loss: {reduction: sum}",
        "loss: 3",
        "loss: {file: 3}",
        "loss: {huber: {delta: one}}",
        "loss: {huberr: {}}",
        "loss: []",
        "loss: {terms: []}",
        "loss: {huber: {}, reduction: average}",
        "loss: {outputs: [huber]}",
        "loss: {outputs: {a: huber}, reduction: sum}",
        "a: {b: {loss: {binary_crossentropy: {from_logits: 1}}}}",
    ],
)
def test_what_is_refused_is_not_valid(text):
    assert not is_valid(text)
    key = "a.b.loss" if text.startswith("a:") else "loss"
    with pytest.raises(lossdsl.LossError):
        lossdsl.from_yaml(text, key=key)


def test_nothing_that_is_read_is_called_wrong():
    """Files of the wrong programs whose mistake is in a formula or a number are valid, as far as YAML reads them."""
    count = 0
    for path in sorted(WRONG.glob("*.yaml")):
        try:
            found = find_losses(path)
            value = yaml.safe_load(path.read_text("utf-8"))
        except (lossdsl.LossError, yaml.YAMLError, ValueError):
            continue
        if all(isinstance(one, Described) for one in found) and not VALIDATOR.is_valid(value):
            with pytest.raises(lossdsl.LossError):
                lossdsl.from_yaml(path, key="loss")
        count += 1
    assert count > 50
