"""What every test stands on: a quiet TensorFlow on the CPU, and chance that repeats."""

import os

# Read by the libraries when they are first imported, so set before anything else is.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["MPLBACKEND"] = "Agg"
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
if "PYTEST_XDIST_WORKER" in os.environ:  # the workers already share the cores among them
    for threads in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(threads, "1")

import numpy as np
import pytest
from hypothesis import settings
from hypothesis.internal.conjecture import providers

SEED = int(os.environ.get("LOSSDSL_SEED", "20250"))

settings.register_profile("ci", derandomize=True, deadline=None, print_blob=True)
settings.load_profile("ci")
# Hypothesis also draws numbers that stand in the modules that are loaded, and which those are depends on the tests that
# ran before in the process: the same test would try other inputs in another order.
providers.is_local_module_file = lambda path: False


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers, the same in every run and whatever the order of the tests."""
    return np.random.default_rng(SEED)


def _chance() -> str:
    return f"lossdsl: seed {SEED} (LOSSDSL_SEED sets another), hypothesis profile ci (derandomized)"


def pytest_report_header() -> str:
    return _chance()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if terminalreporter.verbosity < 0:  # -q leaves the header out
        terminalreporter.write_line(_chance())
