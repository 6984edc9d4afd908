"""Losses of the whole batch on several devices equal those on one; see `devices_trial.py`.

Two devices in one process, or two processes on the loopback interface, started here.
"""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

BACKENDS = os.environ.get("LOSSDSL_BACKENDS", "tensorflow").split()
TRIAL = str(Path(__file__).with_name("devices_trial.py"))


def started(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, TRIAL, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )  # fmt: skip


def finished(*processes: subprocess.Popen[str]) -> None:
    """Waits for processes that work together; if one fails, the others would wait for it."""
    try:
        found = [each.communicate(timeout=240) for each in processes]
    finally:
        for each in processes:
            each.kill()
    for each, (out, err) in zip(processes, found, strict=True):
        assert each.returncode == 0, err[-3000:]
        assert "devices done" in out


def ports(count: int) -> list[str]:
    """Ports that are free now."""
    held = [socket.socket() for _ in range(count)]
    for each in held:
        each.bind(("127.0.0.1", 0))
    found = [str(each.getsockname()[1]) for each in held]
    for each in held:
        each.close()
    return found


@pytest.mark.skipif("tensorflow" not in BACKENDS, reason="TensorFlow is tested elsewhere")
def test_two_devices_of_tensorflow():
    finished(started("mirrored", KERAS_BACKEND="tensorflow"))


@pytest.mark.skipif("tensorflow" not in BACKENDS, reason="TensorFlow is tested elsewhere")
def test_two_processes_of_tensorflow():
    both = ports(2)
    finished(*(started("worker", *both, str(rank), KERAS_BACKEND="tensorflow") for rank in range(2)))


@pytest.mark.skipif("torch" not in BACKENDS, reason="torch is tested elsewhere")
def test_two_processes_of_torch():
    (port,) = ports(1)
    finished(*(started("torch", port, str(rank), KERAS_BACKEND="torch") for rank in range(2)))


@pytest.mark.skipif("jax" not in BACKENDS, reason="JAX is tested elsewhere")
def test_two_devices_of_jax():
    flags = "--xla_force_host_platform_device_count=2"
    finished(started("jax", KERAS_BACKEND="jax", JAX_ENABLE_X64="1", XLA_FLAGS=flags))
