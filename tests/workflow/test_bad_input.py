"""What a user gets wrong is said before anything runs: file, key, and what would be accepted."""

import copy

import pytest
import yaml
from workflow.conftest import ROOT, copy_tree, run_snakemake

from qdsurf.errors import QDSurfError
from qdsurf.pipeline.plan import Plan
from qdsurf.records import library
from qdsurf.records.models import Recipe
from qdsurf.records.reaction_templates import Reaction

MAIN = yaml.safe_load((ROOT / "config/config.yaml").read_text())


def changed(**keys) -> dict:
    return copy.deepcopy(MAIN) | keys


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (changed(slabs={"PbX_100_PbX": MAIN["slabs"]["PbS_100_PbS"]}), "unknown material 'PbX'.*PbS"),
        (changed(slabs={"PbS_123_Pt": MAIN["slabs"]["PbS_100_PbS"]}), "PbS .*unknown termination 'Pt'.*PbS"),
        (changed(precursors=["TMX"]), "precursors: unknown precursor 'TMX'.*TMA"),
        (changed(calculator={"name": "gfn"}), "calculator.name: unknown calculator 'gfn'.*tblite"),
        (changed(calculator={"name": "emt"}), "emt has no parameters for .*Pb.*it supports Ag"),
        (changed(relax={"fmax": 0.1}), "relax.fmax: unknown key 'fmax'; did you mean 'fmax_eV_per_A'"),
        (changed(kinetics={"recipe": "nope"}), "unknown recipe 'nope'.*alumina_thermal_40C"),
        (
            changed(slabs={"PbS_100_PbS": MAIN["slabs"]["PbS_100_PbS"] | {"ligands": ["oleat"]}}),
            "unknown ligand 'oleat'; did you mean 'oleate'",
        ),
        (
            changed(slabs={"PbS_100_PbS": MAIN["slabs"]["PbS_100_PbS"] | {"ligands": ["oleylammonium"]}}),
            r"oleylammonium \(charge \+1\) has no place on PbS",
        ),
    ],
)
def test_a_wrong_configuration_is_refused_with_what_is_accepted(data, message):
    with pytest.raises(QDSurfError, match=message):
        Plan.check(data, "config.yaml")


def test_a_negative_pressure_is_refused():
    data = yaml.safe_load(library.record_path("recipes", "alumina_thermal_40C").read_text())
    data["steps"][0]["pressure_Pa"] = -1
    with pytest.raises(QDSurfError, match=r"steps.0.pressure_Pa: .*greater than or equal to 0"):
        library.validate(Recipe, data, "recipes/x.yaml")


def test_a_template_that_does_not_balance_is_refused_with_its_ledger():
    data = yaml.safe_load(library.record_path("reactions", "protonolysis_surface_hydrogen").read_text())
    data["forms"] = []
    words = r"by_product is not one molecule: forms must connect .*precursor.leaving -1, ligand.proton \+1"
    with pytest.raises(QDSurfError, match=words):
        library.validate(Reaction, data, "reactions/x.yaml")


def test_snakemake_stops_before_the_first_job_with_the_message(tmp_path):
    tree = copy_tree(tmp_path)
    (tree / "bad.yaml").write_text(yaml.safe_dump(changed(seeds=1)))
    done = run_snakemake(tree, "--configfile", "bad.yaml")
    assert done.returncode != 0
    assert "unknown key 'seeds'; did you mean 'seed'" in done.stderr
    assert not (tree / "results").exists()
