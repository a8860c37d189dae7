"""What counts as having reacted, and what is only the noise of coming and going."""

import numpy as np
import pytest

from qdsurf.microkinetics.analysis.branching import class_shares, lasting


def test_what_comes_and_goes_does_not_count():
    """Three steps over a pulse and a purge: undone but for noise, undone in half, and one too slow to be undone."""
    flux = np.array([[1.0, 1.0, 1e-12], [3e-4, 0.5, 1.1e-12]])
    assert lasting(flux, rtol=1e-4).tolist() == [0.0, 0.5, 1.1e-12]
    assert lasting(flux, rtol=1e-6).tolist() == [3e-4, 0.5, 1.1e-12], "a finer run may tell it from nothing"


def test_every_member_of_a_batch_is_judged_by_itself():
    flux = np.array([[[1.0], [1e-5]], [[1e-5], [2e-5]], [[np.nan], [np.nan]]])
    assert lasting(flux, rtol=1e-4)[:, 0] == pytest.approx([0.0, 2e-5, np.nan], nan_ok=True)


def test_nothing_that_lasts_has_no_shares():
    assert np.isnan(class_shares(np.zeros(3))).all()
    assert class_shares(np.array([[1.0, 3.0, 0.0]])).tolist() == [[0.25, 0.75, 0.0]]
