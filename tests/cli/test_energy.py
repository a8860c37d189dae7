"""Verb energy: single points of every frame."""

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms
from ase.io import write

from qdsurf.calculators.registry import make_calculator
from qdsurf.records.models import CalculatorSpec


def test_energy_has_one_object_for_each_frame(run_json, tmp_path):
    crystal = bulk("PbS", "rocksalt", 5.94)
    crystal.rattle(0.05, seed=0)
    slab = crystal.copy()
    slab.pbc = [True, True, False]
    slab.center(vacuum=6.0, axis=2)
    write(tmp_path / "frames.xyz", [molecule("H2O"), crystal, slab])
    water, periodic, layer = run_json("energy", tmp_path / "frames.xyz")
    assert water.keys() == {"energy_eV", "forces_eV_per_A", "stress_eV_per_A3"}
    assert water["stress_eV_per_A3"] is None and np.shape(water["forces_eV_per_A"]) == (3, 3)
    assert len(periodic["stress_eV_per_A3"]) == len(layer["stress_eV_per_A3"]) == 6
    crystal.calc = make_calculator(CalculatorSpec())
    assert periodic["energy_eV"] == pytest.approx(crystal.get_potential_energy(), abs=1e-6)
    np.testing.assert_allclose(periodic["stress_eV_per_A3"], crystal.get_stress(), atol=1e-7)
    assert np.abs(np.sum(layer["forces_eV_per_A"], axis=0)).max() < 1e-4


def test_energy_uses_the_requested_calculator_and_parameters(run_json, tmp_path):
    write(tmp_path / "w.xyz", molecule("H2O"))
    (with_d3,), (without,) = (
        run_json("energy", tmp_path / "w.xyz", "--parameter", f"d3={d3}") for d3 in ("PBE", "none")
    )
    assert with_d3["energy_eV"] < without["energy_eV"]
    (gfn1,) = run_json("energy", tmp_path / "w.xyz", "--calculator", "tblite", "--method", "GFN1-xTB")
    assert gfn1["energy_eV"] < -100


def test_forces_on_fixed_atoms_are_reported(run_json, tmp_path):
    atoms = molecule("H2O")
    atoms.set_distance(0, 1, 1.2)
    atoms.set_constraint(FixAtoms([0, 1, 2]))
    write(tmp_path / "w.extxyz", atoms)
    (point,) = run_json("energy", tmp_path / "w.extxyz")
    assert np.abs(point["forces_eV_per_A"]).max() > 1


def test_energy_errors(error_of, tmp_path):
    close, radon = Atoms("OH", [[0, 0, 0], [0, 0, 0.2]]), Atoms("Rn")
    write(tmp_path / "close.xyz", [molecule("H2O"), close])
    write(tmp_path / "radon.xyz", radon)
    assert "close.xyz: frame 1: atoms 0 (O) and 1 (H) are 0.200 A apart" in error_of("energy", tmp_path / "close.xyz")
    assert "sevennet 7net-l3i5 D3 has no parameters for Rn" in error_of("energy", tmp_path / "radon.xyz")
    message = error_of("energy", tmp_path / "close.xyz", "--parameter", "model=7net-omni")
    assert "unknown sevennet model '7net-omni'" in message and "Accepted: 7net-0, 7net-l3i5" in message
