"""Net events of steps, and the noise of steps that run forwards and backwards."""

import numpy as np
import pytest

from qdsurf.microkinetics.analysis.branching import class_shares, net_events


def test_net_events_below_the_integration_error_are_zero():
    """Three steps over a pulse and a purge: reversed except for noise, reversed by half, and slow and irreversible."""
    flux = np.array([[1.0, 1.0, 1e-12], [3e-4, 0.5, 1.1e-12]])
    assert net_events(flux, rtol=1e-4).tolist() == [0.0, 0.5, 1.1e-12]
    assert net_events(flux, rtol=1e-6).tolist() == [3e-4, 0.5, 1.1e-12], "a finer tolerance resolves it"


def test_members_of_a_batch_are_independent():
    flux = np.array([[[1.0], [1e-5]], [[1e-5], [2e-5]], [[np.nan], [np.nan]]])
    assert net_events(flux, rtol=1e-4)[:, 0] == pytest.approx([0.0, 2e-5, np.nan], nan_ok=True)


def test_shares_are_nan_without_any_flux():
    assert np.isnan(class_shares(np.zeros(3))).all()
    assert class_shares(np.array([[1.0, 3.0, 0.0]])).tolist() == [[0.25, 0.75, 0.0]]
