"""Criteria: one number decides each use, and a calculator is never fit after a failed test."""

import pytest

from qdsurf.qualification.criteria import LATTICE_ERROR, LIMITS, assess_uses

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
    uses = assess_uses(GOOD)
    assert set(uses) == {"geometry", "substrate_relaxation", "reaction_energies"}
    assert all(assessment["fit"] for assessment in uses.values())
    assert uses["geometry"]["reason"] == "bulk modulus off by -20% (limit 50%)"  # the number closest to its limit
    assert uses["substrate_relaxation"]["reason"] == "rattled slab shifts by 0.20 A (limit 0.70 A)"


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.path)
def test_every_limit_decides_only_its_own_use(limit):
    beyond = 0 if limit.path.endswith("fewest") else 1.5 * limit.limit
    uses = assess_uses(changed(limit.path, beyond))
    assert [use for use, assessment in uses.items() if not assessment["fit"]] == [limit.use]
    assert uses[limit.use]["reason"].startswith(limit.name)
    assert uses[limit.use]["number"] == beyond and uses[limit.use]["limit"] == limit.limit


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.path)
def test_a_calculator_is_not_fit_after_a_failed_test(limit):
    assessment = assess_uses(changed(limit.path, None))[limit.use]
    assert not assessment["fit"] and "no number" in assessment["reason"]


@pytest.mark.parametrize("sign", [-1, 1])
def test_the_lattice_constant_is_limited_in_both_directions(sign):
    assert assess_uses(changed("lattice_constant_error", sign * 0.99 * LATTICE_ERROR))["geometry"]["fit"]
    assert not assess_uses(changed("lattice_constant_error", sign * 1.01 * LATTICE_ERROR))["geometry"]["fit"]


def test_a_rattled_structure_that_ends_higher_is_not_unstable():
    assert assess_uses(changed("stability.energy_drop_eV_per_moving_atom", 5.0))["substrate_relaxation"]["fit"]


def test_a_calculator_is_not_fit_for_an_untested_use():
    uses = assess_uses({key: part for key, part in GOOD.items() if key != "reactions"})
    assert uses["reaction_energies"] == {"fit": False, "reason": "not tested", "number": None, "limit": None}
    assert uses["geometry"]["fit"]
