"""Held bonds: one-sided, conservative, and only where a structure says which bonds it is to have."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule
from ase.calculators.lj import LennardJones
from hypothesis import given, settings
from hypothesis import strategies as st

from qdsurf.atomistic.annotation import annotate
from qdsurf.atomistic.bonding_criteria import RESTRAINT_BROKEN, RESTRAINT_FORMED
from qdsurf.relaxation.relax import relax_one
from qdsurf.relaxation.restraints import STIFFNESS_EV_PER_A2, held_bonds

SUM_HH = 0.62  # A, sum of the covalent radii


def pair(distance: float, **info) -> Atoms:
    return Atoms("H2", [(0, 0, 0), (0, 0, distance)], info=info)


def test_nothing_is_held_where_no_bond_is_named():
    assert held_bonds(pair(1.0)) == []
    assert held_bonds(pair(1.0, formed=[], broken="[]")) == []


@pytest.mark.parametrize(
    ("key", "limit", "sign"),
    [("formed", RESTRAINT_FORMED * SUM_HH, 1), ("broken", RESTRAINT_BROKEN * SUM_HH, -1)],
    ids=["formed", "broken"],
)
def test_springs_act_on_one_side_only(key, limit, sign):
    for offset in (-0.2, 0.2):
        atoms = pair(limit + offset, **{key: [[0, 1]]})
        (held,) = held_bonds(atoms)
        forces = np.zeros((2, 3))
        held.adjust_forces(atoms, forces)
        acts = offset * sign > 0
        assert held.adjust_potential_energy(atoms) == pytest.approx(0.5 * STIFFNESS_EV_PER_A2 * 0.04 if acts else 0.0)
        assert forces[0, 2] == pytest.approx(sign * STIFFNESS_EV_PER_A2 * 0.2 if acts else 0.0)
        np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_forces_are_the_gradient_across_a_cell_boundary(seed):
    rng = np.random.default_rng(seed)
    atoms = Atoms("CHOAl", rng.uniform(0, 6, (4, 3)), cell=[6, 6, 6], pbc=True)
    atoms.info = {"formed": [[0, 1], [2, 3]], "broken": "[[0, 3]]"}
    (held,) = held_bonds(atoms)
    forces, step = np.zeros((4, 3)), 1e-5
    held.adjust_forces(atoms, forces)
    i, axis = int(rng.integers(4)), int(rng.integers(3))
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[i, axis] += sign * step
        energies.append(held.adjust_potential_energy(moved))
    assert forces[i, axis] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=1e-3)


def test_a_relaxation_with_held_bonds_ends_on_the_free_surface():
    """Two argon-like atoms that are asked to bond: the bond is held first, then given back to the potential."""
    atoms = annotate(Atoms("H2", [(0, 0, 0), (0, 0, 2.5)]), "adsorbate")
    atoms.info["formed"] = [[0, 1]]
    calculator = LennardJones(sigma=2.0, epsilon=0.1, rc=20.0)
    final, result = relax_one(atoms, calculator, 0.001, 200)
    assert result["converged"]
    assert final.get_distance(0, 1) == pytest.approx(2.0 * 2 ** (1 / 6), abs=0.01)
    assert not final.constraints
    assert result["energy_eV"] == pytest.approx(-0.1, abs=1e-3)


def test_constraints_of_the_structure_stay():
    from ase.calculators.emt import EMT
    from ase.constraints import FixAtoms

    atoms = annotate(molecule("CH4"), "adsorbate")
    atoms.rattle(0.05, seed=2)
    atoms.set_constraint(FixAtoms([0]))
    atoms.info["formed"] = [[0, 1]]
    final, _ = relax_one(atoms, EMT(), 0.05, 50)
    assert [type(c) for c in final.constraints] == [FixAtoms]
    np.testing.assert_array_equal(final.positions[0], atoms.positions[0])
