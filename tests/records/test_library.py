"""Records: all records of `structures/` are valid, and an invalid one is refused with file, key and accepted values."""

import copy
import re

import pytest
import yaml
from pydantic import ValidationError

from qdsurf.errors import InputError, QDSurfError
from qdsurf.records import library
from qdsurf.records.models import Material, Molecule, Recipe, Record
from qdsurf.records.reaction_templates import Reaction
from qdsurf.records.reference_set import read_reference

FILES = [(kind, path) for kind in library.KINDS for path in sorted((library.STRUCTURES / kind).glob("*.yaml"))]


def raw(kind: str, name: str) -> dict:
    return yaml.safe_load((library.STRUCTURES / kind / f"{name}.yaml").read_text())


# Dictionaries whose keys are names of elements, molecules or roles.
FREE_KEYS = [(key,) for key in ("formal_charges", "stoichiometry", "substitutions", "releases", "elements")]


def nested_keys(data: object, path: tuple = ()) -> list[tuple]:
    """Paths of all records inside a record; dictionaries with free keys are not records."""
    if isinstance(data, list):
        return [key for i, item in enumerate(data) for key in nested_keys(item, (*path, i))]
    if not isinstance(data, dict) or path[-1:] in FREE_KEYS:
        return []
    return [path, *(key for name, item in data.items() for key in nested_keys(item, (*path, name)))]


@pytest.mark.parametrize("kind", library.KINDS)
def test_every_shipped_record_is_valid_and_found_by_name(kind):
    names = [path.stem for path in files(kind)]
    assert [library.get(kind, name).name for name in names] == names
    assert library.names(kind) == sorted(names)


def files(kind: str) -> list:
    return [path for other, path in FILES if other == kind]


def test_every_kind_has_records_and_there_are_no_other_folders():
    assert {path.parent.name for _, path in FILES} == set(library.KINDS)
    assert {p.name for p in library.STRUCTURES.iterdir() if p.is_dir()} == {*library.KINDS, "reference"}


def test_geometries_named_in_records_exist():
    molecules = [*read_reference().molecules.values(), library.precursor("TMA").oligomer.molecule]
    names = {molecule.geometry.split("/")[-1] for molecule in molecules if molecule.geometry}
    assert names <= {path.name for path in (library.STRUCTURES / "reference").iterdir()}


@pytest.mark.parametrize("kind", library.KINDS)
def test_an_unknown_key_is_refused_with_file_key_and_accepted_keys(kind):
    """One record of each kind is enough: the one with the most nested keys."""
    path = max(files(kind), key=lambda path: len(nested_keys(raw(kind, path.stem))))
    for location in nested_keys(raw(kind, path.stem)):
        data = copy.deepcopy(raw(kind, path.stem))
        inner = data
        for part in location:
            inner = inner[part]
        inner["colour"] = 1
        with pytest.raises(InputError) as caught:
            library.validate(library.KINDS[kind], data, str(path))
        message = str(caught.value)
        assert str(path) in message and "unknown key 'colour'" in message
        accepted = re.search(r"Accepted: (.*)\.$", message, flags=re.M)[1].split(", ")
        assert set(inner) - {"colour"} <= set(accepted), f"{location}: {message}"


def test_a_close_key_is_suggested():
    data = raw("materials", "PbS") | {"space_grup": 225}
    with pytest.raises(InputError, match="did you mean 'space_group'"):
        library.validate(Material, data, "PbS.yaml")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"routine": True}, "routine: 'routine' is now called 'default'"),
        ({"chemistry": ["D7"]}, r"chemistry\.0: 'D7' is now called 'cation_exchange'"),
    ],
)
def test_an_old_word_in_a_template_is_refused_with_its_present_name(tmp_path, change, message):
    """A key and a kind of chemistry of version 0.1."""
    path = tmp_path / "cation_exchange.yaml"
    path.write_text(yaml.safe_dump(raw("reactions", "cation_exchange") | change))
    with pytest.raises(InputError, match=rf"cation_exchange\.yaml: {message}"):
        library.reactions(tmp_path)


def test_an_old_kind_of_chemistry_in_a_selection_is_refused_with_its_present_name():
    with pytest.raises(InputError, match="reactions: 'D7' is now called 'cation_exchange'"):
        library.chosen_reactions(["default", "D7"])


def test_each_selected_template_follows_the_template_of_its_initial_state():
    chosen = library.chosen_reactions(["hydrolysis_film"])
    seen = {"ligated"}
    for name, template in chosen.items():
        assert template.reactant in seen
        seen.add(name)
    assert list(chosen)[-1] == "hydrolysis_film" and len(chosen) > 1


@pytest.mark.parametrize("kind", library.KINDS)
def test_records_are_frozen(kind):
    record = library.get(kind, files(kind)[0].stem)
    with pytest.raises(ValidationError, match="frozen"):
        record.name = "another"


def all_records(cls=Record):
    return [cls, *(sub for child in cls.__subclasses__() for sub in all_records(child))]


def test_every_record_type_is_frozen_and_forbids_unknown_keys():
    models = all_records()
    assert [m for m in models if not (m.model_config["frozen"] and m.model_config["extra"] == "forbid")] == []


@pytest.mark.parametrize("kind", library.KINDS)
def test_a_missing_source_is_refused(kind):
    path = files(kind)[0]
    data = raw(kind, path.stem)
    del data["source"]
    with pytest.raises(InputError, match=r"source: Field required"):
        library.validate(library.KINDS[kind], data, str(path))


@pytest.mark.parametrize("kind", library.KINDS)
def test_an_unknown_name_is_refused_with_all_known_names(kind):
    with pytest.raises(InputError) as caught:
        library.get(kind, "unobtainium")
    assert all(name in str(caught.value) for name in library.names(kind))


@pytest.mark.parametrize(
    ("field", "value"),
    [("pressure_Pa", -1.0), ("duration_s", 0.0), ("duration_s", -1.0), ("role", "plasma"), ("pressure_Pa", "low")],
)
def test_an_impossible_recipe_step_is_refused(field, value):
    data = raw("recipes", "alumina_thermal_40C")
    data["steps"][1][field] = value
    with pytest.raises(InputError, match=rf"r\.yaml: steps\.1\.{field}: .*given: {value!r}"):
        library.validate(Recipe, data, "r.yaml")


def test_all_mistakes_are_reported_at_once():
    data = raw("materials", "PbS") | {"space_group": 231, "formula": 3, "sites": []}
    with pytest.raises(InputError) as caught:
        library.validate(Material, data, "x.yaml")
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["formula", "space_group", "sites"]


def test_a_record_must_be_named_like_its_file(tmp_path):
    path = tmp_path / "PbSe.yaml"
    path.write_text(yaml.safe_dump(raw("materials", "PbS")))
    with pytest.raises(InputError, match=r"PbSe\.yaml: name: 'PbS' must be 'PbSe'"):
        library.read_record(path, Material)


@pytest.mark.parametrize(
    ("text", "message"),
    [("a: [1\nb: 2", "line 2"), ("\xff\xfe", "YAML"), ("- 1", "whole record"), ("", "whole record")],
)
def test_a_file_that_is_not_a_record_is_refused_with_its_name(tmp_path, text, message):
    path = tmp_path / "bad.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=rf"bad\.yaml.*{message}"):
        library.read_record(path, Material)


def test_a_missing_file_is_refused_with_its_name(tmp_path):
    with pytest.raises(InputError, match=r"nothing\.yaml: no such file"):
        library.read_yaml(tmp_path / "nothing.yaml")


@pytest.mark.parametrize("given", [{}, {"smiles": "C", "geometry": "x.xyz"}])
def test_a_molecule_has_exactly_one_geometry(given):
    with pytest.raises(InputError, match="exactly one of 'smiles' and 'geometry'"):
        library.validate(Molecule, {"name": "X", **given}, "x.yaml")


# Reaction templates.


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("ligand_desorption_acid", {"releases": {"ligand": ["ligand.anchor"]}}, r"ligand\.anchor -1"),
        ("ligand_desorption_acid", {"ligand_entry": ["acid", "cation"]}, r"ligand\.anchor \+1"),
        ("ligand_desorption_dative", {"ligand_entry": ["acid"]}, r"ligand\.anchor -1"),
        ("ligand_desorption_acid", {"forms": []}, r"ligand\.anchor -1, ligand\.proton \+1"),
        ("ligand_desorption_acid", {"breaks": [["surface.anion", "ligand.proton"]]}, "surface.cation, ligand.anchor"),
        ("ligand_desorption_salt", {"forms": []}, r"surface\.counterion \+1, ligand\.anchor -1"),
        ("protonolysis_surface_hydrogen", {"forms": []}, r"precursor\.leaving -1, ligand\.proton \+1"),
        ("protonolysis_surface_hydrogen", {"breaks": []}, r"precursor\.metal, precursor\.leaving"),
        ("protonolysis_surface_hydrogen", {"releases": {}}, r"disagree on by_product\(g\)"),
        ("carboxylate_transfer", {"releases": {"salt": ["precursor.metal"]}}, r"disagree on salt\(g\)"),
        ("reductive_coupling", {"reduces": None}, r"precursor\.leaving -1, precursor\.transferred -1"),
        ("etch_halide", {"releases": {"acid": ["surface.hydroxyl"]}}, r"surface\.hydroxyl -1"),
        ("adduct_hydroxyl", {"forms": []}, "takes precursor, so forms must name the one bond"),
        ("adduct_surface", {"takes": None}, r"disagree on precursor\(g\)"),
        ("dissociation_surface", {"takes": "precursor"}, r"disagree on precursor\(g\)"),
    ],
)
def test_a_template_that_does_not_balance_is_refused_with_its_charges(name, change, message):
    library.validate(Reaction, raw("reactions", name), name)
    with pytest.raises(InputError, match=message):
        library.validate(Reaction, raw("reactions", name) | change, name)


def test_a_template_conserves_the_number_of_sites_of_each_family():
    for name, template in library.reactions().items():
        left, right = (sorted(re.findall(r"[@&](\w+)", side)) for side in template.lattice.split("->"))
        assert left == right and left, name


def test_a_template_applies_only_to_ligands_of_its_initial_state():
    templates = library.reactions()
    for name, template in templates.items():
        if template.reactant != "ligated":
            assert set(template.ligand_entry) <= set(templates[template.reactant].ligand_entry), name
        assert not set(template.breaks) & set(template.forms), name


def test_a_template_with_an_unknown_initial_state_is_refused(monkeypatch):
    orphan = library.reactions()["dissociation_surface"].model_copy(update={"reactant": "adduct_srface"})
    real = library.get
    monkeypatch.setattr(library, "get", lambda kind, name: orphan if name == orphan.name else real(kind, name))
    with pytest.raises(InputError, match="reactant: unknown state 'adduct_srface'; did you mean 'adduct_surface'"):
        library.reactions()


# Binding of a ligand to a crystal.


@pytest.mark.parametrize(
    ("material", "ligand", "entry"),
    [
        ("PbS", "oleate", "acid"),
        ("CdSe", "acetate", "acid"),
        ("CsPbBr3", "oleate", "anion"),
        ("CsPbBr3", "oleylammonium", "cation"),
        ("PbS", "oleylamine", "dative"),
        ("CsPbBr3", "methylamine", "dative"),
        ("Ag", None, "none"),
    ],
)
def test_formal_charges_decide_how_a_ligand_binds(material, ligand, entry):
    charges = set(library.material(material).formal_charges.values())
    assert library.ligand_entry(charges, library.ligand(ligand) if ligand else None, material) == entry


def test_a_ligand_replaces_the_passivating_ions_of_a_polar_facet():
    assert library.ligand_entry({2, -2, -1}, library.ligand("oleate"), "PbS(111)") == "anion"


@pytest.mark.parametrize("material", ["PbS", "CdSe", "CdSe-wz", "Ag"])
def test_a_cationic_ligand_is_refused_on_a_surface_without_cations_of_charge_one(material):
    charges = set(library.material(material).formal_charges.values())
    with pytest.raises(InputError, match=rf"oleylammonium \(charge \+1\) has no place on {material}, whose ions have"):
        library.ligand_entry(charges, library.ligand("oleylammonium"), material)


def test_every_error_is_caught_by_one_base_class():
    assert issubclass(InputError, QDSurfError) and issubclass(InputError, ValueError)
