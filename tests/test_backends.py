"""The same losses on every backend that this run was told to test: LOSSDSL_BACKENDS="tensorflow jax torch".

Without the variable TensorFlow alone is tested; `make test-all` names the other two. A backend that is named and cannot
be imported is a failure. What is compared with what is told in `backend_trial.py`.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BACKENDS = os.environ.get("LOSSDSL_BACKENDS", "tensorflow").split()


@pytest.mark.parametrize("part", ["values", "modes", "published", "shapes", "training", "choices", "digits", "indices"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_backend(backend, part):
    script = Path(__file__).with_name("backend_trial.py")
    # JAX has float64 only where it is asked for when it starts
    in_64_bits = "0" if part in ("training", "choices") else "1"
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": in_64_bits}
    done = subprocess.run(
        [sys.executable, str(script), part], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{backend}: {part} done" in done.stdout
    assert part != "published" or "195 published losses" in done.stdout


@pytest.mark.parametrize("library", [backend for backend in BACKENDS if backend != "tensorflow"])
def test_native(library):
    """Losses for plain torch and JAX; two devices of JAX's, so that a batch can be spread."""
    script = Path(__file__).with_name("native_trial.py")
    environment = {
        **os.environ, "JAX_ENABLE_X64": "1", "XLA_FLAGS": "--xla_force_host_platform_device_count=2"
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, str(script), library], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{library}: native done" in done.stdout


@pytest.mark.skipif("torch" not in BACKENDS, reason="torch is not tested")
def test_torch():
    """`torch.compile` through losses, and where their gradients are made."""
    script = Path(__file__).with_name("torch_trial.py")
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "torch done" in done.stdout


EMITTED = {"tensorflow": ("numpy", "tensorflow"), "jax": ("jax",), "torch": ("torch",)}


TRIALS = [
    (backend, target, part)
    for backend in BACKENDS
    for target in (*EMITTED[backend], "keras")
    for part in ("catalogue", "published", "kinks", "names", "modes")
    # On JAX and torch Keras works with numbers of 64 bits in 32 here and there, and what is compared here has 64.
    if target != "keras" or backend == "tensorflow" or part in ("kinks", "modes")
]


@pytest.mark.parametrize("backend, target, part", TRIALS)
def test_emitted(backend, target, part):
    script = Path(__file__).with_name("emit_trial.py")
    environment = {**os.environ, "KERAS_BACKEND": backend, "JAX_ENABLE_X64": "1"}
    done = subprocess.run(
        [sys.executable, str(script), target, part], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert f"{target}: {part} done" in done.stdout
