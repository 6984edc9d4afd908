"""Losses of the catalogue against the same ones of torch, where torch is installed."""

import numpy as np
import pytest

import lossdsl

torch = pytest.importorskip("torch")
F = torch.nn.functional
RNG = np.random.default_rng(3)
T, X, Y = (RNG.normal(size=(6, 4)) for _ in range(3))
BITS, LABELS, COUNTS = RNG.integers(0, 2, (6, 4)), RNG.integers(0, 4, 6), RNG.integers(0, 6, (6, 4))
P, Q = RNG.dirichlet(np.ones(4), 6), RNG.dirichlet(np.ones(4), 6)
SIGNS, SPREAD, WEIGHTS = 2 * BITS - 1, np.abs(Y) + 0.1, RNG.random(4) + 0.5
LOG_LIKELIHOOD = "-log_softmax(x)[t]"
CLASSES = f"loss nll(t: label, x)\n{LOG_LIKELIHOOD}"
MASKED = np.where(np.arange(6) == 1, -100, LABELS)
HELD = np.stack([np.concatenate([np.flatnonzero(row), np.full(4 - row.sum(), -1)]) for row in BITS])


def same(function, *inputs, over_last=True, **parameters):
    """What torch gives for each sample: the mean over the last axis, unless torch takes that together itself."""
    found = function(*map(torch.as_tensor, inputs), **{"reduction": "none"} | parameters).numpy()
    return found.mean(-1) if over_last and found.ndim == 2 else found


# Name, inputs, parameters, and what torch gives. Where torch's default differs from ours it is written.
ALIKE = [
    ("mean_squared_error", (T, X), {}, lambda: same(F.mse_loss, X, T)),
    ("mean_absolute_error", (T, X), {}, lambda: same(F.l1_loss, X, T)),
    ("huber", (T, X), {"delta": 0.5}, lambda: same(F.huber_loss, X, T, delta=0.5)),
    ("smooth_l1", (T, X), {"beta": 0.5}, lambda: same(F.smooth_l1_loss, X, T, beta=0.5)),
    ("gaussian_nll", (T, X, SPREAD), {}, lambda: same(F.gaussian_nll_loss, X, T, SPREAD)),
    ("poisson_nll", (COUNTS, X), {}, lambda: same(F.poisson_nll_loss, X, COUNTS.astype(float), full=True)),
    ("poisson_log_link", (COUNTS, X), {}, lambda: same(F.poisson_nll_loss, X, COUNTS.astype(float))),
    ("kl_divergence", (P, Q), {}, lambda: same(F.kl_div, np.log(Q), P) * 4),  # torch does not add up the classes
    ("hinge_embedding", (SIGNS, SPREAD), {}, lambda: same(F.hinge_embedding_loss, SPREAD, SIGNS)),
    ("margin_ranking", (SIGNS, X, Y), {"margin": 0.3}, lambda: same(F.margin_ranking_loss, X, Y, SIGNS, margin=0.3)),
    (
        "multi_margin",
        (LABELS, X),
        {"margin": 0.7, "p": 2.0},
        lambda: same(F.multi_margin_loss, X, LABELS, margin=0.7, p=2),
    ),
    ("multilabel_margin", (BITS, X), {}, lambda: same(F.multilabel_margin_loss, X, HELD)),
    ("nll", (LABELS, np.log(P)), {}, lambda: same(F.nll_loss, np.log(P), LABELS)),
    ("sparse_categorical_crossentropy", (LABELS, X), {"from_logits": True}, lambda: same(F.cross_entropy, X, LABELS)),
    ("masked_cross_entropy", (MASKED, X), {}, lambda: same(F.cross_entropy, X, MASKED, reduction="mean")),
    (
        "weighted_cross_entropy",
        (LABELS, X),
        {"w": WEIGHTS},
        lambda: same(F.cross_entropy, X, LABELS, weight=torch.as_tensor(WEIGHTS), reduction="mean"),
    ),
    (
        "label_smoothing_cross_entropy",
        (LABELS, X),
        {"smoothing": 0.2},
        lambda: same(F.cross_entropy, X, LABELS, label_smoothing=0.2),
    ),
    (
        "binary_crossentropy",
        (BITS, X),
        {"from_logits": True},
        lambda: same(F.binary_cross_entropy_with_logits, X, BITS.astype(float)),
    ),
]


@pytest.mark.parametrize("name, inputs, parameters, theirs", ALIKE, ids=[row[0] for row in ALIKE])
def test_a_loss_has_the_values_of_torchs(name, inputs, parameters, theirs):
    found, wanted = lossdsl.load(name, **parameters).numpy(*inputs), theirs()
    assert np.shape(found) == np.shape(wanted)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("name, target", [("huber", X), ("supcon", LABELS % 2), ("masked_cross_entropy", LABELS)])
def test_inside_autocast_a_loss_is_worked_out_in_32_bits(name, target):
    hidden = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    loss, target = lossdsl.torch.Loss(name), torch.as_tensor(target)
    with torch.autocast("cpu", torch.bfloat16):
        half = torch.nn.functional.linear(hidden, torch.eye(4))
        found = loss(half, target)
    wanted = loss(half.detach().float(), target)
    assert (half.dtype, found.dtype) == (torch.bfloat16, torch.float32)
    assert found.item() == wanted.item()
    found.backward()
    assert torch.isfinite(hidden.grad).all()


@pytest.mark.parametrize("source", [CLASSES, f"loss of_all(t: label, x)\nsum[space]({LOG_LIKELIHOOD})^2"])
@pytest.mark.parametrize("is_inside", [False, True])
def test_inside_autocast_a_fused_layer_takes_what_a_layer_gives(source, is_inside):
    fused = lossdsl.torch.fused_linear(source, chunk=4)
    made = torch.nn.Linear(4, 3)
    kernel = torch.nn.Parameter(torch.as_tensor(RNG.normal(size=(5, 3)), dtype=torch.float32))
    t, x = torch.as_tensor(LABELS).reshape(2, 3), torch.as_tensor(X, dtype=torch.float32).reshape(2, 3, 4)
    with torch.autocast("cpu", torch.bfloat16):
        hidden = made(x)
        found = fused(hidden, kernel, t)
        if is_inside:
            found.backward()
    if not is_inside:
        found.backward()
    states = hidden.detach().float().requires_grad_()
    wanted = fused(states, kernel, t)
    (slope,) = torch.autograd.grad(wanted, kernel)
    assert hidden.dtype == torch.bfloat16
    assert found.item() == wanted.item()
    torch.testing.assert_close(kernel.grad, slope)
    assert torch.isfinite(made.weight.grad).all()
