"""Every facet on record carries a ligand, and every ligand on record finds a facet; all of them hold the invariants.

The default suite goes through the two lists side by side; marker `slow` takes every ligand to every facet.
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
CARBONS = 3  # the shortest that leaves every head group whole (mercaptopropionate)
WIDTH_A = 10.0
# What may be said instead of a covered slab, and why that is right.
REFUSALS = {
    "has no place on": "an ion meets a surface that has none of its charge to give",
    "no free anion|no anion that is free": "an acid's proton finds no open anion, as where hydroxyl covers the oxide",
    "springs": "short ligands on the densest oxides do not fit without strain",
    "clash": "the same",
    "finds? room": "a chain in so small a cell",
    "no second cation": "a bridge needs two",
    "cations of a bridge": "these are too far apart",
    "for 0 sites": "an L-type ligand on a face whose cations are all covered",
    "nothing that can bind": "a head group longer than the chain",
}


@cache
def wide_slab(name: str, facet: Facet) -> Atoms:
    return cut_wide_slab(library.material(name), facet, WIDTH_A, 4, 20.0)


def cover(name: str, facet, ligand: Ligand, carbons: int = CARBONS) -> int:
    """Attach one ligand in all its modes, check each, and count them."""
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
def test_every_facet_takes_a_ligand_or_says_why_not(number, place):
    cover(*place, library.ligand(LIGANDS[number % len(LIGANDS)]))


@pytest.mark.parametrize("name", LIGANDS)
def test_every_ligand_finds_a_facet(name):
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
        found += cover(material, facet, library.ligand(name))
        if found:
            return
    raise AssertionError(f"{name} binds nowhere")


@pytest.mark.slow
@pytest.mark.parametrize(("material", "facet"), FACETS, ids=FACET_IDS)
@pytest.mark.parametrize("name", LIGANDS)
def test_every_ligand_on_every_facet(name, material, facet):
    cover(material, facet, library.ligand(name))
