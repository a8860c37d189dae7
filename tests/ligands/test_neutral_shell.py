"""Neutral ligands on nanocrystals: binding ions, numbers and errors."""

import numpy as np
import pytest

from qdsurf.atomistic.contacts import contact_limits
from qdsurf.errors import InputError
from qdsurf.ligands.charged_shell import cap_nanocrystal
from qdsurf.ligands.neutral_shell import attach_dative
from qdsurf.records import library
from qdsurf.surfaces.nanocrystal import build_nanocrystal, particle_area


def capped(material: str, diameter_nm: float, ligand: str | None = None, **keys):
    record = library.material(material)
    particle, dangling = build_nanocrystal(record, diameter_nm)
    ligands = {"*": library.ligand(ligand)} if ligand else None
    return cap_nanocrystal(particle, dangling, record, ligands, **keys)


@pytest.mark.parametrize(
    ("material", "ligand", "host", "anchor"),
    [("PbS", "methylamine", "Pb", "N"), ("CdSe", "butylamine", "Cd", "N"), ("CdSe", "lead_acetate", "Se", "Pb")],
)
def test_amines_bind_to_cations_and_z_type_ligands_to_anions(material, ligand, host, anchor):
    bare = capped(material, 2.5)
    covered = attach_dative(bare, {"*": library.ligand(ligand)}, 1.0)
    assert covered.info["ligands"] > 5
    assert covered.info["ligands"] + covered.info["without_room"] == round(particle_area(bare))
    assert covered.arrays["formal_charge"].sum() == pytest.approx(0)
    for index in np.flatnonzero((covered.symbols == anchor) & (np.arange(len(covered)) >= len(bare))):
        nearest = int(np.argmin(covered.get_distances(int(index), np.arange(len(bare)))))
        assert covered.symbols[nearest] == host
    apart = covered.get_all_distances()[len(bare) :]
    limit = contact_limits(covered.numbers)[len(bare) :]
    other = covered.arrays["fragment"][len(bare) :, None] != covered.arrays["fragment"]
    chain = ~np.isin(covered.arrays["role"], ["substrate"])
    assert (apart >= limit - 1e-6)[other & chain].all()


def test_ligands_of_one_face_bind_only_there():
    bare = capped("PbS", 3)
    covered = attach_dative(bare, {"100": library.ligand("methylamine")}, 1.0)
    hosts = {
        str(bare.arrays["facet"][np.argmin(covered.get_distances(int(i), np.arange(len(bare))))])
        for i in np.flatnonzero(covered.symbols == "N")
    }
    assert hosts == {"100"}
    assert covered.info["ligands"] < round(particle_area(bare))


def test_charged_ligand_and_absent_ion_are_errors():
    bare = capped("CsPbBr3", 2.5)
    with pytest.raises(InputError, match="acetate has charge -1; give one that binds without charge"):
        attach_dative(bare, {"*": library.ligand("acetate")}, 1.0)
    with pytest.raises(InputError, match="methylamine needs an open cation of the largest charge"):
        attach_dative(bare, {"*": library.ligand("methylamine")}, 1.0)


@pytest.mark.parametrize("coverage", [0.5, 1.0])
def test_passivating_ions_replace_ligands_at_low_coverage(coverage):
    full, part = capped("PbS", 2.5, "acetate"), capped("PbS", 2.5, "acetate", coverage=coverage)
    area = particle_area(build_nanocrystal(library.material("PbS"), 2.5)[0])
    assert part.info["ligands"] == round(coverage * area) < full.info["ligands"]
    assert part.info["ligands"] + part.info["passivating_ions"] == full.info["ligands"] + full.info["passivating_ions"]
