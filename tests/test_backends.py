"""The same losses on every backend that this run was told to test: LOSSDSL_BACKENDS="tensorflow jax torch".

Without the variable TensorFlow alone is tested; `make test-all` names all three. A backend that is named and cannot be
imported is a failure.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BACKENDS = os.environ.get("LOSSDSL_BACKENDS", "tensorflow").split()


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_gradients_and_training(backend):
    script = Path(__file__).with_name("backend_trial.py")
    environment = {**os.environ, "KERAS_BACKEND": backend}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{backend}: 195 published losses" in done.stdout
