"""D3 of a slab depends neither on its position in the cell nor on the vacuum."""

import numpy as np
import pytest
from ase.build import bulk, molecule

from qdsurf.calculators.dispersion import Dispersion
from qdsurf.errors import InputError


@pytest.fixture
def slab():
    atoms = bulk("PbS", "rocksalt", 5.94, cubic=True)
    atoms.center(vacuum=10.0, axis=2)
    atoms.pbc = True, True, False
    atoms.rattle(0.05, seed=0)
    atoms.calc = Dispersion("PBE")
    return atoms


def test_dispersion_of_a_slab_is_that_of_a_cell_with_large_vacuum(slab):
    periodic = slab.copy()
    periodic.set_cell([*slab.cell[:2], [0, 0, 200]])
    periodic.pbc = True
    periodic.calc = Dispersion("PBE")
    assert slab.get_potential_energy() == pytest.approx(periodic.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(slab.get_forces(), periodic.get_forces(), atol=1e-9)


@pytest.mark.parametrize("shift", [-12.0, -10.5, 7.0, 100.0])
@pytest.mark.parametrize("height", [None, 0.0, 5.0])
def test_dispersion_does_not_depend_on_the_position_in_the_cell(slab, shift, height):
    moved = slab.copy()
    moved.positions[:, 2] += shift
    if height is not None:
        moved.cell[2, 2] = height
    moved.calc = Dispersion("PBE")
    assert moved.get_potential_energy() == pytest.approx(slab.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(moved.get_forces(), slab.get_forces(), atol=1e-9)


def test_a_rotation_of_the_slab_rotates_the_forces(slab):
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    turned = slab.copy()
    turned.set_cell(slab.cell.array @ turn, scale_atoms=False)
    turned.positions = slab.positions @ turn
    turned.calc = Dispersion("PBE")
    assert turned.get_potential_energy() == pytest.approx(slab.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(turned.get_forces(), slab.get_forces() @ turn, atol=1e-9)


@pytest.mark.parametrize("order", [[1, 2, 0], [2, 0, 1]])
def test_dispersion_does_not_depend_on_the_order_of_the_cell_vectors(slab, order):
    other = slab.copy()
    other.set_cell(slab.cell.array[order], scale_atoms=False)
    other.pbc = slab.pbc[order]
    other.calc = Dispersion("PBE")
    assert other.get_potential_energy() == pytest.approx(slab.get_potential_energy(), abs=1e-9)
    np.testing.assert_allclose(other.get_forces(), slab.get_forces(), atol=1e-9)


def test_a_cell_without_volume_has_no_stress(slab):
    flat = slab.copy()
    flat.cell[2] = flat.cell[0] + flat.cell[1]
    flat.calc = Dispersion("PBE")
    assert flat.get_potential_energy() == pytest.approx(slab.get_potential_energy(), abs=1e-9)
    assert "stress" not in flat.calc.results


def test_stress_is_the_gradient_of_the_energy(slab):
    stress = slab.get_stress(voigt=False)
    for i, j in ((0, 0), (0, 1)):
        energies = []
        for sign in (1, -1):
            strain = np.eye(3)
            strain[i, j] += sign * 1e-4
            strain[j, i] = strain[i, j]
            strained = slab.copy()
            strained.set_cell(slab.cell @ strain, scale_atoms=True)
            strained.calc = Dispersion("PBE")
            energies.append(strained.get_potential_energy())
        slope = (energies[0] - energies[1]) / 2e-4 / slab.get_volume() / (1 if i == j else 2)
        assert stress[i, j] == pytest.approx(slope, abs=5e-6)  # pairs cross the cut-off of 60 bohr


def test_a_molecule_needs_no_cell():
    energies = []
    for cell in (None, [3, 3, 3]):
        atoms = molecule("C6H6")
        atoms.set_cell(cell)
        atoms.calc = Dispersion("PBE")
        energies.append(atoms.get_potential_energy())
    assert energies[0] == pytest.approx(energies[1], abs=1e-12) and energies[0] < -0.2


def test_an_unknown_functional_is_refused():
    with pytest.raises(
        InputError, match=r"parameters\.d3: D3\(BJ\) has no parameters for 'PBX'; give a functional such as PBE"
    ):
        Dispersion("PBX")
