"""A configuration is refused before anything runs, with the key that is wrong and what would be accepted."""

import copy
from pathlib import Path

import pytest
import yaml

from qdsurf.errors import InputError
from qdsurf.pipeline.config import load_config
from qdsurf.records import library
from qdsurf.records.systems import System, find_facet

CONFIGS = sorted(p for p in (Path(__file__).parents[2] / "config").rglob("*.yaml") if p.parent.name != "mechanisms")
SMALL = {
    "slabs": {"PbS_100_PbS": {"layers": 2, "supercell": [3, 3], "ligands": ["none", "oleate"]}},
    "precursors": ["TMA", "DEZ"],
    "calculator": {"name": "emt"},
    "kinetics": {"recipe": "alumina_thermal_40C"},
}


def changed(path: str, value: object) -> dict:
    data = copy.deepcopy(SMALL)
    *parts, last = path.split(".")
    inner = data
    for part in parts:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return data


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(path):
    assert load_config(path).systems


def test_systems_are_every_slab_ligand_and_precursor():
    config = load_config(SMALL)
    assert [str(system) for system in config.systems] == [
        "PbS_100_PbS~none~TMA", "PbS_100_PbS~none~DEZ", "PbS_100_PbS~oleate~TMA", "PbS_100_PbS~oleate~DEZ",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("precursor", ["TMA"], "unknown key 'precursor'; did you mean 'precursors'"),
        ("relax.fmax", 0.1, "relax.fmax: unknown key 'fmax'; did you mean 'fmax_eV_per_A'"),
        ("kinetics.sample", 1, "kinetics.sample: unknown key 'sample'; did you mean 'samples'"),
        ("slabs.PbS_100_PbS.layer", 1, "slabs.PbS_100_PbS.layer: unknown key 'layer'; did you mean 'layers'"),
        ("calculator.parameter", {}, "calculator.parameter: unknown key 'parameter'; did you mean 'parameters'"),
        ("slabs.PbX_100_PbX", SMALL["slabs"]["PbS_100_PbS"], "unknown material 'PbX'.*Accepted: .*PbS"),
        ("slabs.PbS", SMALL["slabs"]["PbS_100_PbS"], "'PbS': write MATERIAL_HKL_TERMINATION"),
        (
            "slabs.PbS_100_PbS.ligands",
            ["oleat"],
            "slabs.PbS_100_PbS.ligands: unknown ligand 'oleat'; did you mean 'oleate'",
        ),
        ("precursors", ["TMB"], "precursors: unknown precursor 'TMB'; did you mean 'TMA'.*Accepted: .*DEZ.*TMA"),
        ("precursors", [], "precursors: .*at least 1 item"),
        ("slabs", {}, "slabs: .*at least 1 item"),
        ("kinetics.recipe", "alumina", "kinetics.recipe: unknown recipe 'alumina'.*Accepted: alumina_ozone_80C"),
        ("substrate", "soft", "substrate: .*'auto', 'relaxed', 'mobile' or 'frozen'"),
        ("relax.fmax_eV_per_A", 0, "relax.fmax_eV_per_A: .*greater than 0"),
        ("relax.candidates", 0, "relax.candidates: .*greater than or equal to 1"),
        ("truncate_to_carbons", 0, "truncate_to_carbons: .*greater than or equal to 1"),
        ("slabs.PbS_100_PbS.layers", 0, "slabs.PbS_100_PbS.layers: .*greater than or equal to 1"),
        ("slabs.PbS_100_PbS.supercell", [0, 1], "slabs.PbS_100_PbS.supercell.*(greater|positive)"),
        ("slabs.PbS_100_PbS.supercell", [3], "slabs.PbS_100_PbS.supercell"),
        ("slabs.PbS_100_PbS.vacuum_A", 2, "slabs.PbS_100_PbS.vacuum_A: .*greater than or equal to 8"),
    ],
)
def test_a_mistake_is_named_with_its_key(path, value, message):
    with pytest.raises(InputError, match=message):
        load_config(changed(path, value))


def product(slabs: dict, **keys) -> dict:
    common = {"layers": 2, "supercell": [2, 2], "ligands": ["none"]}
    return SMALL | {"slabs": {name: common | spec for name, spec in slabs.items()}} | keys


def test_patterns_ask_for_what_is_on_record():
    config = load_config(product({"Pb[ST]*_1?0_*": {"ligands": ["none", "ole*e", "oleate"]}}, precursors=["TDMA*"]))
    assert list(config.slabs) == [x for x in library.facets() if x.startswith(("PbS", "PbTe")) and "_111_" not in x]
    assert {"PbS_100_PbS", "PbTe_110_PbTe", "PbS0.5Se0.5_100_PbS"} <= set(config.slabs)
    assert config.slabs["PbS_100_PbS"].ligands == ("none", "oleate", "oleylamine")
    assert config.precursors == ("TDMAHf", "TDMAT", "TDMAZr")
    assert len(config.systems) == len(config.slabs) * 3 * 3


def test_a_name_goes_before_a_pattern_and_two_patterns_must_agree():
    config = load_config(product({"PbS_1*": {}, "PbS_100_PbS": {"layers": 6}}))
    assert {slab: spec.layers for slab, spec in config.slabs.items()} == {
        "PbS_100_PbS": 6, "PbS_110_PbS": 2, "PbS_111_Pb": 2,
    }  # fmt: skip
    assert len(load_config(product({"PbS_1*": {}, "PbS_*": {}})).slabs) == 3
    with pytest.raises(InputError, match=r"'PbS_1\*' and '\*_100_PbS' both match PbS_100_PbS, with different settings"):
        load_config(product({"PbS_1*": {}, "*_100_PbS": {"layers": 6}}))


def test_what_is_excluded_is_not_in_the_plan():
    config = load_config(product(
        {"PbS_1?0_*": {"ligands": ["none", "oleate"]}},
        precursors=["TMA", "DEZ", "TDMAT"],
        exclude=["PbS_110_*~oleate~*", "*~none~DEZ", "*~TDMAT"],
    ))  # fmt: skip
    assert [str(system) for system in config.systems] == [
        "PbS_100_PbS~none~TMA", "PbS_100_PbS~oleate~TMA", "PbS_100_PbS~oleate~DEZ", "PbS_110_PbS~none~TMA",
    ]  # fmt: skip
    assert config.slabs["PbS_110_PbS"].ligands == ("none",) and config.precursors == ("TMA", "DEZ")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (product({"PbX_*": {}}), r"c\.yaml: slabs: unknown slab 'PbX_\*'.*Accepted: .*PbS_100_PbS"),
        (product({"PbS_*": {"ligands": ["x*"]}}), r"slabs\.PbS_\*\.ligands: unknown ligand 'x\*'.*oleate"),
        (product({"PbS_*": {}}, precursors=["TM?", "X?"]), r"precursors: unknown precursor 'X\?'.*TMA"),
        (
            product({"PbS_*": {}}, exclude=["CdSe*"]),
            r"exclude: 'CdSe\*' matches no system; a system is, for example, 'PbS_100_PbS~",
        ),
        (product({"PbS_*": {}}, exclude=["*"]), "exclude: all 6 systems are excluded"),
    ],
)
def test_a_pattern_that_says_nothing_is_refused(data, message):
    with pytest.raises(InputError, match=message):
        load_config(data, "c.yaml")


@pytest.mark.parametrize("key", ["slabs", "precursors", "kinetics"])
def test_what_must_be_given_is_asked_for(key):
    with pytest.raises(InputError, match=f"{key}: Field required"):
        load_config({k: v for k, v in SMALL.items() if k != key})


def test_messages_name_the_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(changed("kinetics.recipe", "x")))
    with pytest.raises(InputError, match=r"mine\.yaml: kinetics\.recipe"):
        load_config(path)


@pytest.mark.parametrize("name", ["PbS_100_PbS~none~TMA", "CdSe-wz_10-10_CdSe~oleate~TDMAT"])
def test_system_names_are_read_back(name):
    system = System.parse(name)
    assert str(system) == name
    assert f"{system.ligated}~{system.precursor}" == name


@pytest.mark.parametrize("name", ["PbS_100_PbS", "PbS~oleate", "a~b~c~d", ""])
def test_other_system_names_are_refused(name):
    with pytest.raises(InputError, match="write MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR"):
        System.parse(name)


@pytest.mark.parametrize("material", library.names("materials"))
def test_every_facet_is_found_by_its_name(material):
    for facet in library.material(material).facets:
        assert find_facet(f"{material}_{facet.name}") == (material, facet)


def test_the_tests_that_decide_about_the_substrate_always_run():
    spec = load_config(changed("qualification", {"more_tests": ["rattled_bulk", "rattled_bulk"]})).qualification
    assert spec.tests == ("strained_bulk", "rattled_slab", "rattled_bulk")
    assert [spec.steps(test) for test in spec.tests] == [0, spec.max_steps, spec.max_steps]
    with pytest.raises(InputError, match=r"qualification.more_tests.0: Input should be 'rattled_bulk' or 'facets'"):
        load_config(changed("qualification", {"more_tests": ["phonons"]}))


def test_a_number_of_a_material_needs_its_source():
    silver = library.material("Ag").model_dump(exclude_none=True)
    facet = silver["facets"][0] | {"bare_energy_J_per_m2": 1.0}
    for changes, key in (({"bulk_modulus_GPa": 100.0}, "bulk_modulus"), ({"facets": [facet]}, "bare_energy")):
        with pytest.raises(InputError, match=f"{key}_source: give the source of"):
            library.validate(library.KINDS["materials"], silver | changes, "Ag.yaml")
