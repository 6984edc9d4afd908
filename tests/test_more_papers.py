"""Losses of papers that neither the catalogue nor the published values have, as their papers write them.

Beside them stand those that need more than the language has, which is told where it is written.
"""

import numpy as np
import pytest
from papers.further import FURTHER
from papers.images import IMAGES
from papers.likelihoods import LIKELIHOODS
from papers.others import OTHERS
from papers.pairs import PAIRS
from papers.refused import REFUSED
from papers.sequences import SEQUENCES
from test_papers import central_differences

import lossdsl
from lossdsl import LossError

PAPERS = {**IMAGES, **PAIRS, **OTHERS, **FURTHER, **LIKELIHOODS, **SEQUENCES}


@pytest.mark.parametrize("name", PAPERS)
def test_a_loss_is_that_of_its_paper(name):
    one = PAPERS[name]
    loss = lossdsl.load(one.source)
    inputs = one.inputs(np.random.default_rng(20))
    value, slope = loss.numpy.value_and_grad(*inputs)
    np.testing.assert_allclose(value, np.asarray(one.reference(*inputs), float), rtol=1e-11)
    if one.has_slope:
        place = min(1, len(inputs) - 1)
        given = inputs if place else (np.zeros(0), *inputs)
        reference = one.reference if place else lambda _, *rest: one.reference(*rest)
        np.testing.assert_allclose(slope, central_differences(reference, given), rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("name", REFUSED)
def test_what_needs_more_is_refused(name):
    source, _ = REFUSED[name]
    with pytest.raises(LossError) as caught:
        lossdsl.load(source)
    assert caught.value.span is not None
    assert caught.value.hint


def test_most_of_what_papers_write_is_said():
    assert len(PAPERS) >= 144
    assert len(PAPERS) + len(REFUSED) >= 151
