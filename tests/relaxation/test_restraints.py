"""Bond restraints: one-sided, conservative, and only for bonds that a structure records."""

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
from qdsurf.relaxation.restraints import STIFFNESS_EV_PER_A2, bond_restraints

SUM_HH = 0.62  # A, sum of the covalent radii


def pair(distance: float, **info) -> Atoms:
    return Atoms("H2", [(0, 0, 0), (0, 0, distance)], info=info)


def test_a_structure_without_recorded_bonds_has_no_restraints():
    assert bond_restraints(pair(1.0)) == []
    assert bond_restraints(pair(1.0, formed=[], broken="[]")) == []


@pytest.mark.parametrize(
    ("key", "limit", "sign"),
    [("formed", RESTRAINT_FORMED * SUM_HH, 1), ("broken", RESTRAINT_BROKEN * SUM_HH, -1)],
    ids=["formed", "broken"],
)
def test_springs_act_on_one_side_only(key, limit, sign):
    for offset in (-0.2, 0.2):
        atoms = pair(limit + offset, **{key: [[0, 1]]})
        (restraints,) = bond_restraints(atoms)
        forces = np.zeros((2, 3))
        restraints.adjust_forces(atoms, forces)
        acts = offset * sign > 0
        assert restraints.adjust_potential_energy(atoms) == pytest.approx(
            0.5 * STIFFNESS_EV_PER_A2 * 0.04 if acts else 0.0
        )
        assert forces[0, 2] == pytest.approx(sign * STIFFNESS_EV_PER_A2 * 0.2 if acts else 0.0)
        np.testing.assert_allclose(forces.sum(axis=0), 0.0, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000))
def test_forces_are_the_gradient_across_a_cell_boundary(seed):
    rng = np.random.default_rng(seed)
    atoms = Atoms("CHOAl", rng.uniform(0, 6, (4, 3)), cell=[6, 6, 6], pbc=True)
    atoms.info = {"formed": [[0, 1], [2, 3]], "broken": "[[0, 3]]"}
    (restraints,) = bond_restraints(atoms)
    forces, step = np.zeros((4, 3)), 1e-5
    restraints.adjust_forces(atoms, forces)
    i, axis = int(rng.integers(4)), int(rng.integers(3))
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[i, axis] += sign * step
        energies.append(restraints.adjust_potential_energy(moved))
    assert forces[i, axis] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=1e-3)


def test_the_final_structure_of_a_restrained_relaxation_is_free_of_restraints():
    """Two argon-like atoms with a recorded bond: the restraint acts first and is then removed."""
    atoms = annotate(Atoms("H2", [(0, 0, 0), (0, 0, 2.5)]), "adsorbate")
    atoms.info["formed"] = [[0, 1]]
    calculator = LennardJones(sigma=2.0, epsilon=0.1, rc=20.0)
    result = relax_one(atoms, calculator, 0.001, 200)
    final = result.atoms
    assert result.converged
    assert final.get_distance(0, 1) == pytest.approx(2.0 * 2 ** (1 / 6), abs=0.01)
    assert not final.constraints
    assert result.energy_eV == pytest.approx(-0.1, abs=1e-3)


def test_constraints_of_the_structure_stay():
    from ase.calculators.emt import EMT
    from ase.constraints import FixAtoms

    atoms = annotate(molecule("CH4"), "adsorbate")
    atoms.rattle(0.05, seed=2)
    atoms.set_constraint(FixAtoms([0]))
    atoms.info["formed"] = [[0, 1]]
    final = relax_one(atoms, EMT(), 0.05, 50).atoms
    assert [type(c) for c in final.constraints] == [FixAtoms]
    np.testing.assert_array_equal(final.positions[0], atoms.positions[0])
