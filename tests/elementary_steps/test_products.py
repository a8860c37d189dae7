"""Products have all atoms and charges of their reactants and the bonds of their template, and pass the state check."""

from collections import Counter
from functools import cache

import numpy as np
import pytest
from ase.formula import Formula
from invariants import assert_valid_model, composition, through_file
from systems import make_fragment, make_ligated, make_slab

from qdsurf.atomistic.bonding import bond_ratios, molecular_bonds
from qdsurf.atomistic.molecules import build_molecule
from qdsurf.atomistic.roles import find_role
from qdsurf.elementary_steps.adsorption_poses import coreactant_fragment, place_precursor
from qdsurf.elementary_steps.gas_products import desorbed_ligand, desorbed_salt
from qdsurf.elementary_steps.products import SEQUENCES, Product, build_endpoints, build_products
from qdsurf.elementary_steps.state_check import check_state
from qdsurf.errors import BuildError
from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records import library
from qdsurf.surfaces.defects import make_defects
from qdsurf.surfaces.slab import cut_slab

SURFACES = [
    ("PbS", "acetate"),
    ("CdSe", "acetate"),
    ("CsPbBr3", "acetate"),
    ("PbS", "methylamine"),
    ("CdSe", "methylamine"),
    ("CsPbBr3", "oleylammonium"),
]
TEMPLATES = library.reactions()


def applicable(material: str, ligand: str) -> list[str]:
    charges = set(library.material(material).formal_charges.values())
    entry = library.ligand_entry(charges, library.ligand(ligand), material)
    return [name for name, t in TEMPLATES.items() if entry in t.ligand_entry and t.default]


# Less common templates: precursor, co-reactant, and gas molecules of each template, for each surface.
RARER = {
    "ZnO hydroxylated": ("TMA", "AcOH", {"protonolysis_hydroxyl": ["CH4"], "acid_on_hydroxyl": ["H2O"]}),
    "PbS oxidised": ("TMA", None, {"dissociation_oxygen": []}),
    "CdTe mercaptopropionate": ("TMA", None, {"protonolysis_tail": ["CH4"]}),
    "PbS acetate": (
        "TMA",
        "O3",
        {
            "insertion_carboxylate": [],
            "cation_exchange": ["PbC2H6"],
            "reductive_coupling": ["C2H6"],
            "oxygen_insertion": [],
            "ozone_transfer": ["O2"],
        },
    ),
    "PbS methylamine": ("TMA", None, {"dissociation_insertion": []}),
    "CsPbBr3 V_Br V_Cs": (
        "TMA",
        "H2O",
        {
            "adduct_vacancy": [],
            "dissociation_vacancy": [],
            "dissociation_coreactant": [],
            "etch_halide": ["HBr"],
            "hydrolysis_film": ["CH4"],
        },
    ),
    "PbS acetate, HCl": (None, "HCl", {"protonolysis_ligand": ["C2H4O2"]}),
    "PbS acetate, K2S": ("K2S", None, {"exchange_ligand": ["KC2H3O2"]}),
    "PbS acetate acetate": (None, None, {"ligand_desorption_complex": ["PbC4H6O4"]}),
    "CsPbBr3, NaI": ("NaI", None, {"exchange_halide": ["NaBr"]}),
    "CsPbBr3, ZnOAc2": ("ZnOAc2", None, {"exchange_monovalent": ["CsC2H3O2"]}),
    "CsPbBr3 methylammonium": (None, None, {"ligand_desorption_ammonium": ["CH6NBr"]}),
    "CdSe lead_chloride": (None, None, {"ligand_desorption_acceptor": ["PbCl2"]}),
}


def chain(name: str) -> list[str]:
    """A template and all templates before it, in the order of the steps."""
    before = TEMPLATES[name].reactant
    return [*([] if before == "ligated" else chain(before)), name]


@cache
def rarer_surface(system: str):
    """A small structure with the ligands or defects in the name of the system."""
    material, *words = system.partition(",")[0].split()
    if material == "ZnO":
        record = library.material(material)
        facet = next(facet for facet in record.facets if facet.hydroxylated)
        return cut_slab(record, facet, 4, (2, 2), vacuum=20.0)
    if words == ["oxidised"]:
        return make_defects(make_slab(material), ["O_on_S"])
    if words and words[0].startswith("V_"):
        return make_defects(make_slab(material), words)
    if not words:
        return make_slab(material)
    carbons = None if words[0] == "mercaptopropionate" else 2
    return attach_ligands(make_slab(material), library.ligand(words[0]), len(words), carbons, pattern="clustered")[0]


def gas_molecule(name: str):
    records = {p.by_product.name: p.by_product for p in map(library.precursor, library.names("precursors"))}
    return build_molecule(records[name] if name in records else library.get("coreactants", name).molecule)


@cache
def rarer_products(system: str, name: str):
    """First product of a template, not relaxed, from the first product of the previous template."""
    precursor, coreactant, _ = RARER[system]
    template = TEMPLATES[name]
    before = template.reactant
    reactant = rarer_surface(system) if before == "ligated" else rarer_products(system, before)[0].surface
    if template.takes is None:
        return build_products(reactant.copy(), template, 1)
    arriving = template.takes == "precursor"
    fragment = make_fragment(precursor) if arriving else coreactant_fragment(gas_molecule(coreactant))
    contact, target = template.arrival
    (pose,) = place_precursor(reactant, fragment, target, 1, 0, template.breaks, contact)
    return [Product(pose, {})]


ADDUCTS = [(*s, name) for s in SURFACES for name in applicable(*s) if TEMPLATES[name].takes]
STEPS = [(*s, name) for s in SURFACES for name in applicable(*s) if not TEMPLATES[name].takes]
STAYING = [step for step in STEPS if not TEMPLATES[step[2]].releases]
RARER_STEPS = [(system, name) for system, (*_, names) in RARER.items() for name in names]


@cache
def states(material: str, ligand: str, name: str) -> tuple:
    """Candidates of a state, not relaxed, from the first candidate of the previous state."""
    if name == "ligated":
        return make_ligated(material, ligand)
    template = TEMPLATES[name]
    reactant = states(material, ligand, template.reactant)[0].copy()
    if template.takes:
        contact, target = template.arrival
        return tuple(place_precursor(reactant, make_fragment("TMA"), target, 2, 0, template.breaks, contact))
    return tuple(build_endpoints(reactant, template))


def gas(material: str, ligand: str, name: str) -> list:
    """Gas molecules of a step according to the records."""
    record, cation = library.ligand(ligand), {"CsPbBr3": "Cs"}.get(material)
    made = {
        "by_product": lambda: library.precursor("TMA").by_product,
        "ligand": lambda: desorbed_ligand(record, 2),
        "salt": lambda: desorbed_salt(record, cation, 2),
    }
    return [build_molecule(made[release]()) for release in TEMPLATES[name].releases]


def test_every_template_is_tested():
    rarer = {step for _, name in RARER_STEPS for step in chain(name)}
    assert {name for *_, name in (*ADDUCTS, *STEPS)} | rarer == set(TEMPLATES)


@pytest.mark.parametrize(("system", "name"), RARER_STEPS)
def test_less_common_templates_yield_the_bonds_of_the_template(system, name):
    template = TEMPLATES[name]
    product = rarer_products(system, name)[0]
    surface, gases = product.surface, product.gases
    assert_valid_model(surface)
    assert check_state(surface, surface) == ""
    ratios = bond_ratios(surface)
    assert all(ratios[i, j] < 1.35 for i, j in surface.info["formed"])
    assert all(ratios[i, j] > 1.35 for i, j in surface.info["broken"])
    if not template.releases:
        assert len(surface.info["formed"]) >= len(template.forms)
        assert len(surface.info["broken"]) >= len(template.breaks)
    expected = RARER[system][2][name]
    assert [Counter(molecule.symbols) for molecule in gases.values()] == [Formula(f).count() for f in expected]
    assert list(gases) == list(template.releases)
    if template.takes is None:
        before = template.reactant
        reactant = rarer_surface(system) if before == "ligated" else rarer_products(system, before)[0].surface
        assert composition(surface, *gases.values()) == composition(reactant)
    for molecule in gases.values():
        assert not molecule.pbc.any() and molecule.cell.lengths().min() > 15
        apart = molecule.get_all_distances()[np.triu_indices(len(molecule), 1)]
        assert apart.min() > 0.7 and (bond_ratios(molecule).min(axis=1) < 1.4).all(), "the molecule is not in one piece"


def test_metal_is_reduced_if_it_remains_and_removed_if_it_is_released():
    before = rarer_products("PbS acetate", "dissociation_surface")[0].surface
    (lead,) = find_role(before, "surface.alkylated")
    assert before.symbols[lead] == "Pb"
    reduced = rarer_products("PbS acetate", "reductive_coupling")[0].surface
    assert reduced.arrays["formal_charge"][lead] == 0 and reduced.arrays["formal_charge"].sum() == 0
    exchanged = rarer_products("PbS acetate", "cation_exchange")[0].surface
    assert (exchanged.symbols == "Pb").sum() == (before.symbols == "Pb").sum() - 1


def test_error_lists_every_failed_sequence_and_attempt(monkeypatch):
    """The reasons are in the error if no sequence yields a product, otherwise in `info` of the product."""
    reactant = states("PbS", "acetate", "adduct_ligand")[0]

    def fail(*_):
        raise BuildError("stuck")

    template = TEMPLATES["carboxylate_transfer"]
    for name in list(SEQUENCES)[:-1]:
        monkeypatch.setitem(SEQUENCES, name, fail)
    product = build_endpoints(reactant.copy(), template)[0]
    assert all(f"{name}: stuck" in product.info["failures"] for name in list(SEQUENCES)[:-1])
    monkeypatch.setitem(SEQUENCES, list(SEQUENCES)[-1], fail)
    with pytest.raises(
        BuildError, match="(all bonds at once: stuck; ){6}new bonds .*molecules displaced differently: stuck"
    ):
        build_endpoints(reactant.copy(), template)


@pytest.mark.parametrize(("material", "ligand", "name"), [*ADDUCTS, *STEPS])
def test_products_are_valid_models_with_the_bonds_of_the_template(material, ligand, name):
    for candidate in states(material, ligand, name):
        assert_valid_model(candidate)
        ratios = bond_ratios(candidate)
        assert all(ratios[i, j] < 1.3 for i, j in candidate.info["formed"])
        assert all(ratios[i, j] > 1.35 for i, j in candidate.info["broken"])
        if not TEMPLATES[name].releases:
            assert len(candidate.info["formed"]) == len(TEMPLATES[name].forms)
            assert len(candidate.info["broken"]) >= len(TEMPLATES[name].breaks)


@pytest.mark.parametrize(("material", "ligand", "name"), STEPS)
def test_elements_and_charges_are_balanced_with_the_gas(material, ligand, name):
    reactant = states(material, ligand, TEMPLATES[name].reactant)[0]
    for candidate in states(material, ligand, name):
        assert composition(candidate, *gas(material, ligand, name)) == composition(reactant)
        assert candidate.arrays["formal_charge"].sum() == 0


@pytest.mark.parametrize(("material", "ligand", "name"), STEPS)
def test_substrate_does_not_move_and_the_order_of_the_atoms_is_kept(material, ligand, name):
    reactant = states(material, ligand, TEMPLATES[name].reactant)[0]
    for candidate in states(material, ligand, name):
        kept = candidate.arrays["role"] == "substrate"
        where = [np.linalg.norm(reactant.positions - p, axis=1).argmin() for p in candidate.positions[kept]]
        assert np.abs(reactant.positions[where] - candidate.positions[kept]).max() == 0
        assert (np.diff(where) > 0).all()
        if name in {s for *_, s in STAYING}:
            assert (candidate.symbols == reactant.symbols).all()
            for key in ("role", "fragment", "layer", "anchor"):
                assert (candidate.arrays[key] == reactant.arrays[key]).all()


@pytest.mark.parametrize(("material", "ligand", "name"), [*ADDUCTS, *STEPS])
def test_unchanged_candidate_is_accepted_before_and_after_a_file(material, ligand, name, tmp_path):
    for candidate in states(material, ligand, name):
        assert check_state(candidate, candidate) == ""
        back = through_file(candidate, tmp_path)
        assert check_state(back, back) == "" and check_state(back, candidate) == ""


@pytest.mark.parametrize(("material", "ligand", "name"), STAYING)
def test_reactant_is_rejected_because_a_bond_is_not_broken(material, ligand, name):
    reactant = states(material, ligand, TEMPLATES[name].reactant)[0]
    for candidate in states(material, ligand, name):
        reason = check_state(candidate, reactant)
        assert "of this step is not broken" in reason
        assert "formed during the relaxation" not in reason, "a bond of the reactant is called new"


@pytest.mark.parametrize(("material", "ligand", "name"), ADDUCTS)
def test_desorbed_precursor_is_rejected(material, ligand, name):
    for candidate in states(material, ligand, name):
        gone = candidate.copy()
        gone.positions[gone.arrays["role"] == "adsorbate", 2] += 3.0
        assert "of this step did not form" in check_state(candidate, gone)


@pytest.mark.parametrize(("material", "ligand", "name"), [s for s in STEPS if TEMPLATES[s[2]].reactant != "ligated"])
def test_product_that_loses_a_hydrogen_atom_is_rejected(material, ligand, name):
    candidate = states(material, ligand, name)[0]
    torn = candidate.copy()
    hydrogen, partner = next(
        (i, j) if candidate.symbols[i] == "H" else (j, i)
        for i, j in sorted(molecular_bonds(candidate))
        if {"H", "C"} == {candidate.symbols[i], candidate.symbols[j]}
    )
    torn.positions[hydrogen] += torn.positions[hydrogen] - torn.positions[partner]
    assert "broke during the relaxation but is not part of this reaction" in check_state(candidate, torn)


@pytest.mark.parametrize(("material", "ligand", "name"), STAYING)
def test_products_keep_all_other_bonds(material, ligand, name):
    reactant = states(material, ligand, TEMPLATES[name].reactant)[0]
    for candidate in states(material, ligand, name):
        named = {tuple(sorted(pair)) for key in ("formed", "broken") for pair in candidate.info[key]}
        i, j = np.array(sorted(molecular_bonds(reactant) - named)).T
        before, after = (atoms.get_all_distances(mic=True)[i, j] for atoms in (reactant, candidate))
        metal = reactant.arrays["formal_charge"] > 1
        covalent = ~(metal[i] & reactant.arrays["anchor"][j] | metal[j] & reactant.arrays["anchor"][i])
        np.testing.assert_allclose(
            after[covalent], before[covalent], rtol=0.15
        )  # bonds C-H in a crowded geometry change by up to 12 %


def test_result_is_deterministic():
    reactant = states("PbS", "acetate", "adduct_ligand")[0]
    first, again = (build_endpoints(reactant.copy(), TEMPLATES["carboxylate_transfer"]) for _ in range(2))
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a.positions, b.positions)


def test_error_names_the_absent_role(slab_of):
    with pytest.raises(BuildError, match="ligand_desorption_acid: no atom matches ligand.anchor"):
        build_endpoints(slab_of("PbS"), TEMPLATES["ligand_desorption_acid"])


def test_atoms_that_are_too_far_apart_yield_no_product():
    reactant = states("PbS", "acetate", "adduct_surface")[0].copy()
    reactant.positions[reactant.arrays["role"] == "adsorbate", 2] += 9
    with pytest.raises(BuildError, match="protonolysis_surface_hydrogen: no product geometry"):
        build_endpoints(reactant, TEMPLATES["protonolysis_surface_hydrogen"])


def test_salt_desorbs_although_its_anchor_is_far_from_the_cation():
    """Acetate in a bromide vacancy: 3 A between Pb and O are not a bond, but acetate still leaves the Pb ion."""
    covered = make_ligated("CsPbBr3", "acetate")[0].copy()
    anchors = np.flatnonzero(covered.arrays["anchor"])
    own = covered.arrays["fragment"] == covered.arrays["fragment"][anchors[0]]
    lead = np.flatnonzero(covered.symbols == "Pb")
    lift = 3.1 - min(covered.get_distances(int(i), lead, mic=True).min() for i in anchors)
    covered.positions[own & (covered.arrays["role"] == "ligand"), 2] += max(0.0, lift)
    ratios = bond_ratios(covered)
    assert ratios[np.ix_(anchors, lead)].min() > 1.35
    for product in build_endpoints(covered, TEMPLATES["ligand_desorption_salt"]):
        assert (
            len(product) == len(covered) - 8 and (product.symbols == "Cs").sum() == (covered.symbols == "Cs").sum() - 1
        )


def test_transferred_ligand_may_touch_the_crystal():
    product = states("CdSe", "acetate", "carboxylate_transfer")[0]
    anchor, cation = next(
        pair if product.arrays["anchor"][pair[0]] else pair[::-1]
        for pair in map(tuple, product.info["broken"])
        if product.arrays["anchor"][list(pair)].any()
    )
    touching = product.copy()
    touching.positions[cation] = touching.positions[anchor] + [0, 0, -2.2]
    assert bond_ratios(touching)[anchor, cation] < 1.1
    assert not check_state(product, product) and "is not broken" not in check_state(product, touching)
