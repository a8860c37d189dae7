"""Verdicts: one number decides each use, and a test that failed is never a pass."""

import pytest

from qdsurf.qualification.criteria import LATTICE_ERROR, LIMITS, judge_uses

GOOD = {
    "lattice_constant_error": 0.01,
    "bulk_modulus_error": -0.2,
    "scf": {"failed_share": 0.01},
    "stability": {"energy_drop_eV_per_moving_atom": 0.1, "largest_shift_A": 0.2},
    "bulk_stability": {"energy_drop_eV_per_moving_atom": -0.001, "largest_shift_A": 0.1},
    "reactions": {"mae_left_out_eV": 0.1, "fewest": 12},
}


def changed(path: str, value) -> dict:
    data = {key: dict(part) if isinstance(part, dict) else part for key, part in GOOD.items()}
    *keys, last = path.split(".")
    part = data
    for key in keys:
        part = part[key]
    part[last] = value
    return data


def test_a_good_calculator_is_fit_for_everything():
    uses = judge_uses(GOOD)
    assert set(uses) == {"geometry", "substrate_relaxation", "reaction_energies"}
    assert all(verdict["fit"] for verdict in uses.values())
    assert uses["geometry"]["reason"] == "bulk modulus off by -20% (limit 50%)"  # nearest its limit
    assert uses["substrate_relaxation"]["reason"] == "shaken slab shifts by 0.20 A (limit 0.70 A)"


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.path)
def test_every_limit_decides_its_own_use_and_no_other(limit):
    beyond = 0 if limit.path.endswith("fewest") else 1.5 * limit.limit
    uses = judge_uses(changed(limit.path, beyond))
    assert [use for use, verdict in uses.items() if not verdict["fit"]] == [limit.use]
    assert uses[limit.use]["reason"].startswith(limit.name)
    assert uses[limit.use]["number"] == beyond and uses[limit.use]["limit"] == limit.limit


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.path)
def test_a_test_that_failed_is_no_pass(limit):
    verdict = judge_uses(changed(limit.path, None))[limit.use]
    assert not verdict["fit"] and "no number" in verdict["reason"]


@pytest.mark.parametrize("sign", [-1, 1])
def test_a_lattice_constant_may_be_off_either_way(sign):
    assert judge_uses(changed("lattice_constant_error", sign * 0.99 * LATTICE_ERROR))["geometry"]["fit"]
    assert not judge_uses(changed("lattice_constant_error", sign * 1.01 * LATTICE_ERROR))["geometry"]["fit"]


def test_an_uphill_end_is_no_melting():
    assert judge_uses(changed("stability.energy_drop_eV_per_moving_atom", 5.0))["substrate_relaxation"]["fit"]


def test_what_was_not_tested_is_not_fit():
    uses = judge_uses({key: part for key, part in GOOD.items() if key != "reactions"})
    assert uses["reaction_energies"] == {"fit": False, "reason": "not tested", "number": None, "limit": None}
    assert uses["geometry"]["fit"]
