"""Structures of a run are copied to the reference set."""

from ase.build import fcc111
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from qdsurf.qualification.reference_energies import strip_states
from qdsurf.records.reference_set import PointLevel


def test_only_geometry_and_energy_are_stored_and_structures_without_energy_are_left_out():
    slab = fcc111("Ag", (1, 1, 2), vacuum=5)
    slab.set_constraint(FixAtoms([0]))
    slab.info["candidate"] = 1
    failed = slab.copy()
    slab.calc = SinglePointCalculator(slab, energy=-2.5)
    level = PointLevel(functional="pbe", basis="dzvp", sigma_eV=0.1, source="assumed")
    (stored,) = strip_states({"slabs/Ag": [slab], "adsorbed/lost": [failed], "adsorbed/none": []}, level, "cp2k PBE")
    assert stored.info == {"name": "slabs/Ag", "level": "pbe/dzvp", "energy_eV": -2.5, "programs": "cp2k PBE"}
    assert (stored.positions == slab.positions).all() and (stored.cell == slab.cell).all()
    assert not stored.constraints and set(stored.arrays) == {"numbers", "positions"}
