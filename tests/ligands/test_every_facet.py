"""Ligands on all facets on record: valid models, or an expected reason why the ligand does not fit.

The default tests combine each facet with one ligand and each ligand with a few facets. The tests with the marker `slow`
combine all ligands with all facets.
"""

import re
from functools import cache

import pytest
from ase import Atoms
from invariants import assert_valid_ligated
from systems import FACET_IDS, FACETS

from qdsurf.errors import BuildError, InputError
from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records import library
from qdsurf.records.models import Facet, Ligand
from qdsurf.surfaces.slab import cut_wide_slab

LIGANDS = library.names("ligands")
# The shortest chain that contains every head group completely (mercaptopropionate).
CARBONS = 3
WIDTH_A = 10.0
# Expected error messages, and the situations in which they are correct.
REFUSALS = {
    "has no place on": "a charged ligand on a surface without ions of its charge",
    "no anion is free": "the proton of an acid on a surface without free anions, such as a hydroxylated oxide",
    "springs": "short ligands on the densest oxides",
    "clash": "short ligands on the densest oxides",
    "without a contact": "a chain in a small cell",
    "no second cation": "a bridge on a surface with one suitable cation",
    "cations of a bridge": "a bridge between cations that are too far apart",
    "only 0 sites": "an L-type ligand on a facet whose cations are all covered",
    "complete anchor group": "a head group that is longer than the chain",
}


@cache
def wide_slab(name: str, facet: Facet) -> Atoms:
    return cut_wide_slab(library.material(name), facet, WIDTH_A, 4, 20.0)


def count_valid_modes(name: str, facet, ligand: Ligand, carbons: int = CARBONS) -> int:
    """Attach one ligand in all binding modes, check the models, and count them."""
    slab = wide_slab(name, facet)
    candidates, refusal = [], ""
    try:
        candidates = attach_ligands(slab, ligand, 1, carbons)
    except (BuildError, InputError) as error:
        refusal = str(error)
    assert candidates or any(re.search(words, refusal) for words in REFUSALS), refusal
    for covered in candidates:
        assert_valid_ligated(covered, slab, 1)
    return len(candidates)


@pytest.mark.parametrize(("number", "place"), list(enumerate(FACETS)), ids=FACET_IDS)
def test_each_facet_with_one_ligand(number, place):
    count_valid_modes(*place, library.ligand(LIGANDS[number % len(LIGANDS)]))


@pytest.mark.parametrize("name", LIGANDS)
def test_each_ligand_binds_to_a_facet(name):
    places = [
        ("PbS", (1, 0, 0)),
        ("CsPbBr3", (1, 0, 0)),
        ("PbS", (1, 1, 1)),
        ("CdSe", (1, 1, 0)),
        ("CdSe", (-1, -1, -1)),
    ]
    found = 0
    for material, index in places:
        facet = next(f for f in library.material(material).facets if f.miller_index == index)
        found += count_valid_modes(material, facet, library.ligand(name))
        if found:
            return
    pytest.fail(f"{name} binds to none of the facets")


@pytest.mark.slow
@pytest.mark.parametrize(("material", "facet"), FACETS, ids=FACET_IDS)
@pytest.mark.parametrize("name", LIGANDS)
def test_every_ligand_on_every_facet(name, material, facet):
    count_valid_modes(material, facet, library.ligand(name))
