"""Every verb of the command line, in process: files, JSON, and the words of the errors."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from unittest.mock import ANY

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from ase.build import bulk, molecule
from ase.constraints import FixAtoms
from ase.io import read, write

from qdsurf.calculators.registry import make_calculator
from qdsurf.cli import main
from qdsurf.cli.parser import SHELLS, build_parser
from qdsurf.energetics.corrections import measure_errors
from qdsurf.records import library
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.reference_set import read_reference

ENTRY = Path(sys.executable).parent / "qdsurf"
VERBS = (
    *("list", "slab", "nanocrystal", "sites", "ligate", "place", "show", "energy", "relax", "reactions", "qualify"),
    *("corrections", "kinetics", "status", "trace", "completion"),
)


@pytest.fixture
def ok(capsys):
    """Runner of a verb that must succeed; returns its text."""

    def run(*words) -> str:
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        assert code == 0, captured.err
        return captured.out

    return run


@pytest.fixture
def ok_json(ok):
    """Runner of a verb that must succeed; returns its one JSON value."""

    def refuse(constant: str):
        raise AssertionError(f"{constant} is no JSON")

    return lambda *words: json.loads(ok(*words, "--json"), parse_constant=refuse)


@pytest.fixture
def fails(capsys):
    """Runner of a verb that must fail; returns its one line on standard error."""

    def run(*words) -> str:
        assert main([str(word) for word in words]) == 2
        captured = capsys.readouterr()
        (line,) = [line for line in captured.err.splitlines() if not line.startswith("qdsurf: note: ")]
        assert captured.out == "" and line.startswith("qdsurf: error: ")
        return line

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Slabs and covered slabs of three crystals, built once."""
    path = tmp_path_factory.mktemp("cli")
    for material, index, cell in (("PbS", "100", "33"), ("Ag", "111", "44"), ("CsPbBr3", "100", "22")):
        words = ["slab", material, index, "--layers", "2" if material != "CsPbBr3" else "3", "--supercell", *cell]
        assert main([*words, "-o", f"{path}/{material}.xyz"]) == 0
    covered = (("PbS", "oleate"), ("Ag", "methylamine"), ("CsPbBr3", "oleylammonium"))
    for material, ligand in covered:
        words = ["ligate", f"{path}/{material}.xyz", ligand, "--truncate-to-carbons", "1"]
        assert main([*words, "-o", f"{path}/{material}-{ligand}.xyz"]) == 0
    return path


def test_entry_point_prints_help():
    result = subprocess.run([ENTRY, "--help"], capture_output=True, text=True, check=True)
    assert all(f"\n    {verb}" in result.stdout for verb in VERBS) and result.stderr == ""


def test_help_imports_nothing_heavy():
    words = "import sys; from qdsurf.cli.parser import build_parser; build_parser(); print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", words], capture_output=True, text=True, check=True)
    assert not {"numpy", "ase", "pydantic", "yaml", "rdkit", "pandas"} & set(result.stdout.split())


@pytest.mark.parametrize("verb", VERBS)
def test_help_has_an_example(verb, capsys):
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert f"example:\n  qdsurf {verb} " in text and "--json" in text
    for example in re.findall(rf"^  qdsurf ({verb} [^>\n]+)", text, re.MULTILINE):
        assert build_parser().parse_args(example.split()).run, example


def test_help_states_the_exit_codes(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert re.findall(r"^    (\d+) +(\w+)", text, re.MULTILINE) == [
        ("0", "done"),
        ("2", "words"),
        ("130", "interrupted"),
    ]


def test_an_interrupted_verb_says_so(monkeypatch, capsys):
    def interrupt(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("qdsurf.cli.library.list_records", interrupt)
    assert main(["list", "facets"]) == 130
    assert capsys.readouterr().err == "qdsurf: interrupted\n"


SHELL_TESTS = {
    "bash": "source $0; COMP_WORDS=(qdsurf slab CsPbBr3-P); COMP_CWORD=2; _shtab_qdsurf; echo ${COMPREPLY[@]}",
    "fish": "source $argv[1]; complete -C 'qdsurf slab CsPbBr3-P'",
}


@pytest.mark.parametrize("shell", SHELL_TESTS)
def test_completion_knows_the_records(shell, ok, tmp_path):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    (tmp_path / "script").write_text(ok("completion", shell))
    words = [shell, "-c", SHELL_TESTS[shell], tmp_path / "script"]
    result = subprocess.run(words, capture_output=True, text=True, check=True)
    assert result.stdout.split()[0] == "CsPbBr3-Pnma" and result.stderr == ""


def test_completion_is_written_for_every_shell(ok, ok_json):
    for shell in SHELLS:
        assert ok_json("completion", shell)["script"].strip() == ok("completion", shell).strip()
    assert ok("completion", "zsh").startswith("#compdef qdsurf")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "VERB"),
        (["slab", "PbS", "100", "-o", "x.xyz", "--layers", "0"], "'0' is no integer of 1 or more"),
        (["slab", "PbS", "100", "-o", "x.xyz", "--vacuum", "nan"], "'nan' is no number above 0"),
        (["list", "colours"], "invalid choice: 'colours'"),
        (["ligate", "x.xyz", "oleate", "--count", "1", "--coverage", "1", "-o", "y.xyz"], "not allowed with"),
        (["ligate", "x.xyz", "oleate", "--pattern", "dense", "-o", "y.xyz"], "invalid choice: 'dense'"),
    ],
)
def test_words_that_are_not_understood(words, message, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(words)
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("wrong", ["model", "=1", "model=", "model=[1, 2]", "a b=1"])
def test_a_parameter_is_a_key_and_one_value(wrong, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["corrections", "--calculator", "mace", "--parameter", wrong])
    assert f"{wrong!r} is not KEY=VALUE with one value, such as model=weights.pth" in capsys.readouterr().err


# list


@pytest.mark.parametrize("kind", library.KINDS)
def test_list_holds_every_record(kind, ok, ok_json):
    names = library.names(kind)
    assert [record["name"] for record in ok_json("list", kind)] == names
    assert [line.split()[0] for line in ok("list", kind).splitlines()] == names


def test_list_facets_gives_names_for_a_configuration(ok, ok_json):
    names = [facet["name"] for facet in ok_json("list", "facets")]
    assert {"PbS_100_PbS", "CdSe-wz_10-10_CdSe", "Ag_111_O"} <= set(names)
    assert [line.split()[0] for line in ok("list", "facets").splitlines()] == names


def test_list_calculators_names_methods_and_elements(ok, ok_json):
    calculators = {c["name"]: c for c in ok_json("list", "calculators")}
    assert "GFN2-xTB" in calculators["tblite"]["methods"] and "Ag" in calculators["emt"]["elements"]
    assert "module:Class" in ok("list", "calculators")


# slab


@pytest.mark.parametrize("index", ["100", "1,0,0", "-1,0,0", "200"])
def test_slab_reads_every_form_of_an_index(index, ok_json, tmp_path):
    data = ok_json("slab", "PbS", index, "--layers", 2, "--supercell", 2, 3, "--vacuum", 15, "-o", tmp_path / "s.xyz")
    slab = read(tmp_path / "s.xyz")
    assert len(slab) == data["atoms"] == 24 and slab.info["material"] == "PbS"
    assert slab.cell.cellpar()[2] - np.ptp(slab.positions[:, 2]) == pytest.approx(15)
    assert data["charge"] == 0 and data["layers"] == 2 and data["charge_balance"].endswith("total +0")


@pytest.mark.parametrize("index", ["10-10", "1,0,-1,0", "11-20"])
def test_slab_reads_four_indices_on_record_or_not(index, ok_json, tmp_path):
    assert ok_json("slab", "CdSe-wz", index, "--layers", 2, "-o", tmp_path / "s.xyz")["termination"] == "CdSe"


def test_slab_takes_termination_bottom_and_mobile_layers(ok, ok_json, tmp_path):
    out = tmp_path / "s.xyz"
    assert ok_json("slab", "CsPbBr3", "100", "-o", out)["termination"] == "CsBr"  # the facet on record
    words = ("slab", "CsPbBr3", "100", "--termination", "PbBr2", "--layers", 4, "--mobile-layers", 2)
    assert "PbBr2" in ok(*words, "--bottom", "CsBr", "-o", out)
    slab = read(out)
    top = slab.positions[:, 2] > slab.positions[:, 2].max() - 0.5
    assert sorted(slab.symbols[top]) == ["Br", "Br", "Pb"]
    assert sorted(slab.constraints[0].index) == sorted(np.flatnonzero(slab.arrays["layer"] > 2))


def test_slab_of_an_adlayer_on_record(ok_json, tmp_path):
    words = ("slab", "Ag", "111", "--termination", "O", "--layers", 2, "--supercell", 2, 2)
    assert ok_json(*words, "-o", tmp_path / "s.xyz")["formula"] == "Ag8O"


def test_slab_writes_other_formats_and_says_what_they_lose(capsys, tmp_path):
    assert main(["slab", "PbS", "100", "-o", str(tmp_path / "new" / "s.cif")]) == 0
    assert "does not keep the columns" in capsys.readouterr().err
    assert len(read(tmp_path / "new" / "s.cif")) == 6
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["s.cif"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("Pbs 100", "unknown material 'Pbs'; did you mean 'PbS'?"),
        ("PbS 10x", "Miller index '10x': 'x' is no integer; write 100, 10-10 or 1,0,-1,0"),
        (
            "CdSe 111 --layers 4",
            "carries +0.5 e in this cell, which ions of charge one cannot balance; take a supercell",
        ),
        ("PbS 100 --thickness 7", "no slab is 7 A thick; 3 layers have 5.94 A and 4 have 8.90 A"),
        ("PbS 100 --defect V_Pb", "V_Pb leaves a charge: substrate Pb 2 x +2 = +4"),
        ("PbS 100 --defect vacancy", "unknown defect 'vacancy'; accepted: V_Br (vacancy of an ion)"),
        ("PbS 100 --vacuum 2", "2 A of vacuum; a slab needs at least 5"),
        ("CsPbBr3 100 --termination PbBr3", "unknown termination 'PbBr3'; did you mean 'PbBr2'?"),
        ("CsPbBr3 100 --bottom PbBr2", "no slab of 3 layers has CsBr on top and PbBr2 below"),
    ],
)
def test_slab_errors(words, message, fails, tmp_path):
    assert message in fails("slab", *words.split(), "-o", tmp_path / "s.xyz")
    assert not list(tmp_path.iterdir())


def test_a_charged_slab_is_cut_when_asked_for(ok_json, tmp_path):
    words = ("slab", "PbS", "111", "--termination", "Pb", "--allow-charged")
    assert ok_json(*words, "-o", tmp_path / "s.xyz")["charge"] == 2
    assert read(tmp_path / "s.xyz").info["charge"] == 2


def test_a_polar_slab_carries_its_stand_ins(ok_json, tmp_path):
    data = ok_json("slab", "PbS", "111", "--passivating-ion", "Br", "-o", tmp_path / "s.xyz")
    assert data["formula"] == "Br2Pb2S" and data["charge"] == 0
    assert [t["name"] for t in data["terminations"]] == ["Pb", "S"]


def test_a_neutral_defect_is_a_site(ok_json, tmp_path):
    out = tmp_path / "s.xyz"
    ok_json("slab", "CsPbBr3", "100", "--supercell", 3, 3, "--defect", "V_CsBr", "-o", out)
    assert {"vacancy:Cs", "vacancy:Br"} <= {site["name"] for site in ok_json("sites", out)}


@pytest.mark.parametrize(("name", "message"), [("s.foo", "does not know the format"), (".", "is a folder")])
def test_output_is_checked_first(name, message, fails, tmp_path):
    assert message in fails("slab", "PbS", "100", "-o", tmp_path / name)


# sites


def test_sites_of_our_slab_and_of_any_other(ok, ok_json, folder, tmp_path):
    sites = ok_json("sites", folder / "PbS.xyz")
    assert {"name", "position", "normal", "multiplicity", "elements"} <= sites[0].keys()
    count = {site["name"]: site["multiplicity"] for site in sites}
    assert count == {"top:Pb": 9, "top:S": 9, "bridge:Pb-S": 36, "hollow:4": 18}
    bare = read(folder / "PbS.xyz")
    write(tmp_path / "POSCAR", Atoms(bare.symbols, bare.positions, cell=bare.cell, pbc=True))
    assert {s["name"]: s["multiplicity"] for s in ok_json("sites", tmp_path / "POSCAR")} == count
    covered = ok_json("sites", folder / "PbS-oleate.xyz")
    assert "anchor:O" in {site["name"] for site in covered}
    assert any(site["free"] < site["multiplicity"] for site in covered)
    assert all(site["free"] == site["multiplicity"] for site in sites)
    assert ok("sites", folder / "PbS.xyz").splitlines()[1].split()[:2] == ["top:Pb", "9"]


def test_sites_errors(fails, tmp_path):
    write(tmp_path / "bulk.xyz", bulk("PbS", "rocksalt", a=5.9))
    (tmp_path / "bad.xyz").write_text("no structure\n")
    assert "sites need a slab" in fails("sites", tmp_path / "bulk.xyz")
    assert "not readable as a structure" in fails("sites", tmp_path / "bad.xyz")
    assert "absent.xyz: no such file" in fails("sites", tmp_path / "absent.xyz")


# ligate


def test_ligate_by_count_coverage_and_mode(ok, ok_json, folder, tmp_path):
    out = tmp_path / "l.xyz"
    words = ("ligate", folder / "PbS.xyz", "oleate", "--truncate-to-carbons", 1, "-o", out)
    first = ok_json(*words)
    assert first["ligands"] == 1 and first["charge"] == 0 and first["ligand_entry"] == "acid"
    assert first["model"].startswith("oleate truncated from 18 to 1 C") and first["binding_mode"] == "chelating"
    bridging = ok_json(*words, "--mode", "bridging", "--coverage", 1.2)
    assert bridging["binding_mode"] == "bridging" and bridging["ligands"] == 2
    assert bridging["coverage_per_nm2"] == pytest.approx(2 / first["area_nm2"])
    assert "2 x oleate truncated from 18 to 1 C" in ok(*words, "--count", 2)
    covered = read(out)
    assert covered.info["ligand"] == "oleate" and len(set(covered.arrays["fragment"])) == 3


def test_ligate_errors(fails, folder, tmp_path):
    slab, out = folder / "PbS.xyz", ("-o", tmp_path / "l.xyz")
    assert "unknown ligand 'oleat'; did you mean 'oleate'?" in fails("ligate", slab, "oleat", *out)
    assert "--mode: unknown binding mode of methylamine 'bridging'" in fails(
        "ligate", slab, "methylamine", "--mode", "bridging", *out
    )
    assert "one ligand is 0.631 nm^-2" in fails("ligate", slab, "methylamine", "--coverage", 0.1, *out)
    assert "at most 9 fit" in fails("ligate", slab, "methylamine", "--count", 10, *out)
    assert "has no place on PbS" in fails("ligate", slab, "oleylammonium", *out)


def test_a_mixture_has_the_numbers_nearest_to_its_fractions(ok_json, fails, folder, tmp_path):
    words = ("ligate", folder / "PbS.xyz", "acetate=0.4,methylamine=0.6", "--count", 3, "-o", tmp_path / "l.xyz")
    data = ok_json(*words)
    assert data["ligand"] == "2 methylamine + 1 acetate" and data["ligands"] == 3 and data["charge"] == 0
    assert "--mode is for one ligand" in fails(*words, "--mode", "bridging")
    assert "must not be negative" in fails("ligate", folder / "PbS.xyz", "acetate=-1", "-o", tmp_path / "l.xyz")


def test_a_second_ligand_joins_the_first(ok_json, folder, tmp_path):
    data = ok_json("ligate", folder / "PbS-oleate.xyz", "methylamine", "-o", tmp_path / "l.xyz")
    assert data["ligands"] == 2 and data["charge"] == 0


def test_a_slab_from_elsewhere_can_be_covered(ok_json, folder, tmp_path):
    write(tmp_path / "s.cif", read(folder / "PbS.xyz"))
    ours = ok_json("ligate", folder / "PbS.xyz", "acetate", "-o", tmp_path / "l.xyz")
    theirs = ok_json("ligate", tmp_path / "s.cif", "acetate", "-o", tmp_path / "m.xyz")
    assert [theirs[key] for key in ("formula", "charge_balance", "layers")] == [
        ours[key] for key in ("formula", "charge_balance", "layers")
    ]


def test_a_structure_that_cannot_be_understood_is_refused(fails, folder, tmp_path):
    slab = read(folder / "PbS.xyz")
    write(tmp_path / "s.cif", Atoms(["Pt", *slab.symbols[1:]], slab.positions, cell=slab.cell, pbc=slab.pbc))
    assert "no formal charge is known for Pt; give it as ELEMENT=CHARGE" in fails(
        "ligate", tmp_path / "s.cif", "acetate", "-o", tmp_path / "l.xyz"
    )
    slab.positions[1] = slab.positions[0] + 0.1
    write(tmp_path / "t.cif", slab)
    assert "are 0.17 A apart" in fails("ligate", tmp_path / "t.cif", "acetate", "-o", tmp_path / "l.xyz")


# nanocrystal


def test_a_nanocrystal_is_neutral_and_counts_its_ligands(ok, ok_json, tmp_path):
    words = ("nanocrystal", "PbS", "--diameter", "1.6nm", "--ligand", "acetate", "-o", tmp_path / "dot.xyz")
    data = ok_json(*words)
    dot = read(tmp_path / "dot.xyz")
    assert data["charge"] == 0 and len(dot) == data["atoms"] and not dot.pbc.any()
    assert data["ligands"] + data["passivating_ions"] > 0 and data["surface_atoms_by_facet"]["100"] > 0
    assert "nm^-2" in ok(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("CuInSe2 --diameter 3nm", "has no surface energies on record; give facets with ratios, such as 100=1.0"),
        ("PbS --diameter 3nm --facets 100", "--facets '100': write NAME=VALUE, such as 111=1.1"),
        ("PbS --diameter 3nm --facets 100=x", "--facets 100: 'x' is no number"),
        ("PbS --diameter 3nm --facets 100=-1", "facet 100: -1 is no surface energy"),
        ("CdSe-wz --diameter 3nm --facets 10-10=1", "the planes 10-10 close no volume; give more facets"),
        ("PbS --diameter 3nm --centre Pt", "unknown element 'Pt'"),
        ("PbS --diameter 0.2nm", "holds no atom with enough bonds; go larger"),
        ("PbS --diameter 3nm --ligand methylamine", "coverage: give the number of methylamine per nm^2"),
        (
            "CsPbBr3 --diameter 3nm --ligand oleate",
            "the particle is neutral without ligands; give their coverage in nm^-2",
        ),
    ],
)
def test_nanocrystal_errors(words, message, fails, tmp_path):
    assert message in fails("nanocrystal", *words.split(), "-o", tmp_path / "s.xyz")


# place


def test_place_on_crystal_and_ligand(ok, ok_json, folder, tmp_path):
    out = tmp_path / "p.xyz"
    words = ("place", folder / "PbS-oleate.xyz", "TMA", "-o", out)
    data = ok_json(*words, "--poses", 2, "--seed", 1)
    frames = read(out, ":")
    assert len(frames) == len(data["poses"]) == 2 and data["template"] == "adduct_surface"
    assert all(frame.info["pose"] == pose["pose"] for frame, pose in zip(frames, data["poses"], strict=True))
    assert data["poses"][0]["contact"].startswith("Al") and "-S" in data["poses"][0]["contact"]
    assert ok_json(*words, "--poses", 2, "--seed", 1) == data
    assert ok_json(*words, "--site", "ligand.anchor")["template"] == "adduct_ligand"
    assert "TMA on surface.anion, 1 pose(s)" in ok(*words)


@pytest.mark.parametrize(
    ("molecule", "site", "anchor"), [("H2O", "top:Pb", "O"), ("TMA", "top:S", "Al"), ("CCO", "hollow:4", "O")]
)
def test_place_any_molecule_over_a_site(molecule, site, anchor, ok, ok_json, folder, tmp_path):
    words = ("place", folder / "PbS.xyz", molecule, "--site", site, "--poses", 2, "-o", tmp_path / "p.xyz")
    data = ok_json(*words)
    frames = read(tmp_path / "p.xyz", ":")
    assert 1 <= len(frames) == len(data["poses"]) <= 2 and data["anchor"].startswith(anchor)
    assert all(" meets " in reason or "same as one before" in reason for reason in data["rejected"])
    assert "orientations rejected" in ok(*words)


def test_place_lets_a_dative_ligand_give_way(ok_json, folder, tmp_path):
    words = ("place", folder / "Ag-methylamine.xyz", "TMA", "--site", "ligand.anchor", "-o", tmp_path / "p.xyz")
    data = ok_json(*words)
    assert data["template"] == "adduct_amine" and "-N" in data["poses"][0]["contact"]
    assert len(read(tmp_path / "p.xyz").info["broken"])


def test_place_errors(fails, folder, tmp_path):
    slab, out = folder / "PbS.xyz", tmp_path / "p.xyz"
    assert "unknown precursor 'TMAl'; did you mean 'TMA'?" in fails("place", slab, "TMAl", "-o", out)
    assert "--site: unknown site 'top:X'; did you mean 'top:S'?" in fails(
        "place", slab, "TMA", "--site", "top:X", "-o", out
    )
    assert "no atom plays ligand.anchor" in fails("place", slab, "TMA", "--site", "ligand.anchor", "-o", out)
    message = fails("place", slab, "TMA", "--poses", 2, "-o", tmp_path / "POSCAR")
    assert "holds one structure, not 2" in message


# reactions


@pytest.mark.parametrize(
    ("name", "applies"),
    [
        ("Ag.xyz", {"adduct_surface", "dissociation_surface"}),
        (
            "PbS-oleate.xyz",
            {
                "adduct_surface",
                "dissociation_surface",
                "protonolysis_surface_hydrogen",
                "adduct_ligand",
                "protonolysis_acid",
            }
            | {"carboxylate_transfer", "ligand_desorption_acid"},
        ),
        ("CsPbBr3-oleylammonium.xyz", {"adduct_surface", "dissociation_surface", "protonolysis_ammonium"}),
    ],
)
def test_reactions_say_which_templates_apply_and_why_not(name, applies, ok, ok_json, folder):
    data = ok_json("reactions", folder / name, "--precursor", "TMA")
    matches = {match["name"]: match for match in data["reactions"]}
    templates = library.reactions()
    assert matches.keys() == templates.keys() and data["charge_balance"].endswith("total +0")
    found = {match for match in matches if matches[match]["applies"]}
    assert {match for match in found if templates[match].default} == applies
    assert all(bool(match["reason"]) != match["applies"] for match in matches.values())
    lines = ok("reactions", folder / name, "--precursor", "TMA").splitlines()
    assert {line.split()[1] for line in lines if line.startswith("+ ")} == found


def test_reactions_name_the_reason(ok, folder):
    text = ok("reactions", folder / "Ag.xyz", "--precursor", "DEZ")
    assert "is for ligand_entry acid, this is none" in text
    assert "adduct_coreactant          needs a coreactant; give one with --coreactant" in text
    assert "no atom plays surface.hydroxyl (an O of the crystal that holds H: cut a hydroxylated facet" in text


def test_reactions_say_who_plays_the_roles_and_what_comes_and_goes(ok, ok_json, folder):
    data = ok_json("reactions", folder / "PbS-oleate.xyz", "--precursor", "TMA", "--coreactant", "O3")
    matches = {match["name"]: match for match in data["reactions"]}
    slab = read(folder / "PbS-oleate.xyz")
    anchors = matches["adduct_ligand"]["roles"]["ligand.anchor"]
    assert anchors["atoms"] == np.flatnonzero(slab.arrays["anchor"]).tolist() and anchors["matches"] == 2
    assert matches["adduct_ligand"]["balance"] == {
        "takes": {"precursor": "C3H9Al"},
        "releases": {},
        "surface_gains": {"Al": 1, "C": 3, "H": 9},
        "charge": 0,
    }
    assert matches["protonolysis_acid"]["balance"]["releases"] == {"by_product": "CH4"}
    assert matches["protonolysis_acid"]["balance"]["surface_gains"] == {"C": -1, "H": -4}
    assert matches["cation_exchange"]["balance"]["releases"] == {"alkyl": "C2H6Pb"}
    assert matches["reductive_coupling"]["balance"]["releases"] == {"coupled": "C2H6"}
    assert matches["ozone_transfer"]["balance"]["releases"] == {"dioxygen": "O2"}
    assert matches["oxygen_insertion"]["chemistry"] == ["ozone"]
    bare = {m["name"]: m for m in ok_json("reactions", folder / "PbS.xyz", "--precursor", "TMA")["reactions"]}
    assert bare["adduct_surface"]["roles"]["surface.anion"] == {"atoms": ANY, "matches": 9, "unique": 1}
    assert "surface.anion 9 (1 unique); takes C3H9Al" in ok("reactions", folder / "PbS.xyz", "--precursor", "TMA")


def test_a_coreactant_may_come_in_the_place_of_the_precursor(ok_json, fails, folder):
    data = ok_json("reactions", folder / "PbS-oleate.xyz", "--precursor", "HCl")
    matches = {match["name"]: match for match in data["reactions"]}
    assert matches["adduct_surface"]["reason"] == "needs a precursor; give one with --precursor"
    assert matches["protonolysis_ligand"]["balance"]["releases"] == {"ligand": "CH2O2"}
    amine = ok_json("reactions", folder / "PbS-oleate.xyz", "--precursor", "TDMAT", "--coreactant", "HNMe2")
    assert {m["name"] for m in amine["reactions"] if m["applies"]} >= {"dissociation_coreactant", "protonolysis_ligand"}
    assert "precursor: unknown precursor 'H2'" in fails("reactions", folder / "PbS.xyz", "--precursor", "H2")
    words = "reactions", folder / "PbS.xyz", "--precursor", "TMA", "--coreactant", "TMA"
    assert "coreactant: unknown co-reactant 'TMA'" in fails(*words)


def test_a_structure_from_elsewhere_has_its_reactions(ok_json, folder, tmp_path):
    """No columns: ligands, protons and charges are found again, and the same steps apply."""
    own = read(folder / "PbS-oleate.xyz")
    write(tmp_path / "POSCAR", Atoms(own.symbols, own.positions, cell=own.cell, pbc=True), format="vasp")
    found = [
        {m["name"] for m in ok_json("reactions", path, "--precursor", "TMA")["reactions"] if m["applies"]}
        for path in (folder / "PbS-oleate.xyz", tmp_path / "POSCAR")
    ]
    assert found[0] == found[1]
    assert ok_json("reactions", tmp_path / "POSCAR", "--precursor", "TMA")["ligand_entry"] == "acid"


def test_a_template_of_ones_own_needs_no_python(ok_json, fails, folder, tmp_path):
    """Two hydrogens of two surface sites leave as H2, written by hand in a folder of its own."""
    (tmp_path / "mine").mkdir()
    assert "holds no template" in fails("reactions", folder / "PbS.xyz", "--precursor", "TMA", "--templates", tmp_path)
    (tmp_path / "mine" / "methide_to_tail.yaml").write_text("""
name: methide_to_cation
reaction_class: precursor-surface
chemistry: [cation_exchange]
equation: "E*-MLn + C* -> E*-MLn-1 + C*-L, the metal stays on the ligand"
reactant: adduct_ligand
breaks: [[precursor.metal, precursor.leaving]]
forms: [[surface.cation, precursor.leaving]]
ligand_entry: [acid]
lattice: "adduct@ligand -> opened@ligand"
source: "assumed: a test"
""")
    words = "reactions", folder / "PbS-oleate.xyz", "--precursor", "TMA", "--templates", tmp_path / "mine"
    assert "name: 'methide_to_cation' must be 'methide_to_tail'" in fails(*words)
    (tmp_path / "mine" / "methide_to_tail.yaml").rename(tmp_path / "mine" / "methide_to_cation.yaml")
    (match,) = [m for m in ok_json(*words)["reactions"] if m["name"] == "methide_to_cation"]
    assert match["applies"] and match["roles"]["surface.cation"]["matches"] == 18


def test_reactions_name_the_atom_that_is_missing(ok_json, folder, tmp_path):
    slab = read(folder / "PbS-oleate.xyz")
    del slab[slab.arrays["role"] == "ligand"]
    slab.arrays["role"][slab.symbols == "S"] = "ligand"  # no anion is left in the crystal's outermost layer
    write(tmp_path / "s.xyz", slab)
    matches = {m["name"]: m for m in ok_json("reactions", tmp_path / "s.xyz", "--precursor", "TMA")["reactions"]}
    assert matches["adduct_ligand"]["reason"].startswith("no atom plays ligand.anchor (an atom by which a ligand binds")
    assert matches["carboxylate_transfer"]["reason"] == "starts from adduct_ligand, which does not apply"


def test_reactions_errors(fails, ok, folder, tmp_path):
    write(tmp_path / "charged.xyz", read(folder / "PbS-oleate.xyz")[:-1])
    assert "total -1" in fails("reactions", tmp_path / "charged.xyz", "--precursor", "TMA")
    ok("place", folder / "PbS.xyz", "TMA", "-o", tmp_path / "p.xyz")
    assert "holds a precursor already" in fails("reactions", tmp_path / "p.xyz", "--precursor", "TMA")


# energy


def test_energy_gives_one_object_for_each_frame(ok_json, tmp_path):
    crystal = bulk("PbS", "rocksalt", 5.94)
    crystal.rattle(0.05, seed=0)
    slab = crystal.copy()
    slab.pbc = [True, True, False]
    slab.center(vacuum=6.0, axis=2)
    write(tmp_path / "frames.xyz", [molecule("H2O"), crystal, slab])
    water, periodic, layer = ok_json("energy", tmp_path / "frames.xyz")
    assert water.keys() == {"energy_eV", "forces_eV_per_A", "stress_eV_per_A3"}
    assert water["stress_eV_per_A3"] is None and np.shape(water["forces_eV_per_A"]) == (3, 3)
    assert len(periodic["stress_eV_per_A3"]) == len(layer["stress_eV_per_A3"]) == 6
    crystal.calc = make_calculator(CalculatorSpec())
    assert periodic["energy_eV"] == pytest.approx(crystal.get_potential_energy(), abs=1e-6)
    np.testing.assert_allclose(periodic["stress_eV_per_A3"], crystal.get_stress(), atol=1e-7)
    assert np.abs(np.sum(layer["forces_eV_per_A"], axis=0)).max() < 1e-4


def test_energy_takes_any_calculator_and_its_parameters(ok_json, tmp_path):
    write(tmp_path / "w.xyz", molecule("H2O"))
    (with_d3,), (without,) = (
        ok_json("energy", tmp_path / "w.xyz", "--parameter", f"d3={d3}") for d3 in ("PBE", "none")
    )
    assert with_d3["energy_eV"] < without["energy_eV"]
    (gfn1,) = ok_json("energy", tmp_path / "w.xyz", "--calculator", "tblite", "--method", "GFN1-xTB")
    assert gfn1["energy_eV"] < -100


def test_energy_does_not_hide_forces_on_held_atoms(ok_json, tmp_path):
    atoms = molecule("H2O")
    atoms.set_distance(0, 1, 1.2)
    atoms.set_constraint(FixAtoms([0, 1, 2]))
    write(tmp_path / "w.extxyz", atoms)
    (point,) = ok_json("energy", tmp_path / "w.extxyz")
    assert np.abs(point["forces_eV_per_A"]).max() > 1


def test_energy_errors(fails, tmp_path):
    close, radon = Atoms("OH", [[0, 0, 0], [0, 0, 0.2]]), Atoms("Rn")
    write(tmp_path / "close.xyz", [molecule("H2O"), close])
    write(tmp_path / "radon.xyz", radon)
    assert "close.xyz: frame 1: atoms 0 (O) and 1 (H) are 0.200 A apart" in fails("energy", tmp_path / "close.xyz")
    assert "sevennet 7net-l3i5 D3 has no parameters for Rn" in fails("energy", tmp_path / "radon.xyz")
    message = fails("energy", tmp_path / "close.xyz", "--parameter", "model=7net-omni")
    assert "unknown sevennet model '7net-omni'" in message and "Accepted: 7net-0, 7net-l3i5" in message


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("3", "'3' cannot be converted to nm; write a number with a unit, such as 3nm or 30angstrom"),
        ("3kg", "'3kg' cannot be converted to nm"),
        ("3,5nm", "'3,5nm' cannot be converted to nm"),
        ("3_5nm", "'3_5nm' cannot be converted to nm"),
        ("0nm", "'0nm' is not a length above 0"),
        ("nm", "'nm' cannot be converted to nm; write a number with a unit"),
    ],
)
def test_lengths_need_a_unit(capsys, words, message):
    with pytest.raises(SystemExit):
        main(["nanocrystal", "PbS", "--diameter", words, "-o", "x.xyz"])
    assert message in capsys.readouterr().err


# relax


def test_relax_takes_all_frames_and_keeps_progress_off_standard_output(capsys, tmp_path):
    water = molecule("H2O")
    write(tmp_path / "w.xyz", [water, molecule("CH3OH")])
    words = ["relax", f"{tmp_path}/w.xyz", "--calculator", "emt", "--fmax", "0.1", "-o", f"{tmp_path}/r.xyz", "--json"]
    assert main(words) == 0
    captured = capsys.readouterr()
    data = json.loads(captured.out)
    assert "relax 2/2" in captured.err and [r["converged"] for r in data["results"]] == [True, True]
    relaxed = read(tmp_path / "r.xyz", ":")
    for frame, result in zip(relaxed, data["results"], strict=True):
        assert frame.get_potential_energy() == pytest.approx(result["energy_eV"], abs=1e-6)
        assert np.linalg.norm(frame.get_forces(), axis=1).max() < 0.1
    assert relaxed[0].get_distance(0, 1) != pytest.approx(water.get_distance(0, 1), abs=1e-3)


def test_relax_one_frame_keeps_columns_and_constraints(ok, folder, tmp_path):
    atoms = read(folder / "Ag-methylamine.xyz")
    write(tmp_path / "two.xyz", [atoms, atoms])
    words = ("relax", f"{tmp_path}/two.xyz@1", "--calculator", "emt", "--max-steps", 2, "-o", tmp_path / "r.xyz")
    text = ok(*words)
    assert "0 of 1 converged" in text and "not converged in 2 steps [" in text
    (relaxed,) = read(tmp_path / "r.xyz", ":")
    fixed = relaxed.constraints[0].index
    assert np.allclose(relaxed.positions[fixed], atoms.positions[fixed]) and len(fixed)
    assert (relaxed.arrays["role"] == atoms.arrays["role"]).all()


def test_relax_errors(fails, folder, tmp_path):
    slab, out = folder / "PbS.xyz", ("-o", tmp_path / "r.xyz")
    message = fails("relax", slab, "--calculator", "emt", *out)
    assert "calculator emt has no parameters for Pb, S; it supports Ag, Al" in message
    assert "unknown calculator 'tblit'; did you mean 'tblite'?" in fails("relax", slab, "--calculator", "tblit", *out)
    method = ("--calculator", "tblite", "--method", "GFN3-xTB")
    assert "unknown tblite method 'GFN3-xTB'" in fails("relax", slab, *method, *out)
    ag = folder / "Ag.xyz"
    assert "method" in fails("relax", ag, "--calculator", "emt", "--method", "GFN2-xTB", *out)
    assert "unknown parameter 'asap'" in fails("relax", ag, "--calculator", "emt", "--parameter", "asap=1", *out)
    assert "frame '3' does not exist" in fails("relax", f"{ag}@3", "--calculator", "emt", *out)
    assert not (tmp_path / "r.xyz").exists()


def test_parameters_reach_the_calculator(ok_json, folder, tmp_path):
    words = ("relax", folder / "Ag.xyz", "--calculator", "emt", "-o", tmp_path / "r.xyz")
    plain, wider = (ok_json(*words, *more) for more in ((), ("--parameter", "asap_cutoff=true")))
    (one,), (other,) = ([r["energy_eV"] for r in data["results"]] for data in (plain, wider))
    assert one != other


def test_the_last_of_several_frames_is_taken_aloud(capsys, folder, tmp_path):
    write(tmp_path / "two.xyz", [read(folder / "PbS.xyz"), read(folder / "Ag.xyz")])
    assert main(["sites", f"{tmp_path}/two.xyz", "--json"]) == 0
    captured = capsys.readouterr()
    assert "holds 2 structures, the last one is taken" in captured.err
    assert {e for site in json.loads(captured.out) for e in site["elements"]} == {"Ag"}


# qualify and corrections


def test_qualify_with_emt(ok_json):
    data = ok_json("qualify", "Ag", "--calculator", "emt")
    assert abs(data["lattice_constant_error"]) < 0.01  # EMT is fitted to the lattice constant
    assert data["substrate"] == "relaxed" and data["stability"]["stable"] and data["bulk_stability"]["stable"]
    assert [row["facet"] for row in data["facets"]] == ["111_Ag", "100_Ag", "110_Ag"]  # lowest surface energy first
    assert {use: verdict["fit"] for use, verdict in data["uses"].items()} == {
        "geometry": True,
        "substrate_relaxation": True,
        "reaction_energies": False,  # no reference reaction contains silver
    }


def test_qualify_prints_a_page_and_reads_the_errors_of_a_run(ok, tmp_path, monkeypatch):
    errors = measure_errors(read_reference(), {})
    errors["bonds"] = errors["bonds"].str.replace("Pb", "Ag")
    errors["error_eV"] = 0.1
    line = f"| reference reactions | Ag {errors['bonds'].str.contains('Ag[-<]').sum()}; mean absolute error 0.10 eV"
    folder = tmp_path / "results/reference/emt"
    folder.mkdir(parents=True)
    errors.to_csv(folder / "errors.csv", index=False)
    for where, words in ((tmp_path, ()), (Path.cwd(), ("--errors", folder / "errors.csv"))):
        monkeypatch.chdir(where)
        page = ok("qualify", "Ag", "--calculator", "emt", *words)
        assert page.startswith("# emt for Ag\n") and line in page


def test_qualify_errors(fails):
    assert "has no parameters for Cd, Se" in fails("qualify", "CdSe", "--calculator", "emt")
    assert "unknown material 'CdX'" in fails("qualify", "CdX", "--calculator", "emt")
    missing = fails("qualify", "Ag", "--calculator", "emt", "--errors", "nowhere.csv")
    assert "nowhere.csv: no such file; a run writes it, or leave --errors out" in missing


def test_corrections_of_gfn2(ok_json, monkeypatch):
    full = read_reference()
    names = {"CH4", "NH3", "H2O", "HBr", "H2S", "CsBr", "CsOH", "CsNH2", "CsSH"}
    small = full._replace(
        molecules={name: one for name, one in full.molecules.items() if name in names},
        geometries={name: atoms for name, atoms in full.geometries.items() if name in names},
        reactions=tuple(r for r in full.reactions if set(r.stoichiometry) <= names),
        surfaces=None,
    )
    monkeypatch.setattr("qdsurf.cli.calculations.read_reference", lambda: small)
    data = ok_json("corrections", "--calculator", "tblite", "--method", "GFN2-xTB")
    rows = {row["reaction"]: row for row in data["table"]}
    assert set(rows) == {r.name for r in small.reactions} and data["measured_reactions"] == len(rows) == 3
    water = rows["CsBr+H2O"]
    assert water["error_eV"] == pytest.approx(water["energy_eV"] - water["reference_eV"])
    assert {"mae_raw_eV", "mae_left_out_eV", "within_sigma"} <= data["molecules"].keys()
    assert data["calculator"]["parameters"] == {"method": "GFN2-xTB"} and data["predict_100_steps_s"] > 0


def test_corrections_show_that_nothing_could_be_computed(capsys, monkeypatch):
    full = read_reference()
    reaction = next(r for r in full.reactions if "ZnBr2" in r.stoichiometry)
    names = set(reaction.stoichiometry)
    small = full._replace(
        molecules={name: full.molecules[name] for name in names},
        geometries={name: full.geometries[name] for name in names},
        reactions=(reaction,),
        surfaces=None,
    )
    monkeypatch.setattr("qdsurf.cli.calculations.read_reference", lambda: small)
    assert main(["corrections", "--calculator", "emt"]) == 0
    assert (
        f"emt: none of {len(small.reactions)} reactions could be computed; every bond has 2 eV"
        in capsys.readouterr().out
    )


def test_corrections_errors(fails):
    assert "unknown calculator 'xtb'" in fails("corrections", "--calculator", "xtb")


# kinetics

SYSTEM = "PbS_100_PbS~none~TMA"


@pytest.fixture
def tables(tmp_path) -> Path:
    """A folder of the energetics with one system: an adduct and its dissociation."""
    states = [
        {"state": "ligated", "energy_eV": 0.0, "gibbs_eV": 0.0, "sigma_eV": 0.0, "phase": "surface"},
        {"state": "adduct_surface", "energy_eV": -0.6, "gibbs_eV": -0.5, "sigma_eV": 0.1, "phase": "surface"},
        {"state": "dissociation_surface", "energy_eV": -1.1, "gibbs_eV": -1.0, "sigma_eV": 0.1, "phase": "surface"},
        {"state": "TMA", "energy_eV": 0.6, "gibbs_eV": 0.0, "sigma_eV": 0.0, "phase": "gas", "mass_amu": 72.09},
    ]
    shared = {"system": SYSTEM, "reaction_class": "precursor-surface", "removes_ligand": False, "removes_cation": False}
    steps = [
        {"step": "adduct_surface", "lattice": "TMA(g) + free@surface -> adduct@surface", "initial_state": "ligated"},
        {
            "step": "dissociation_surface",
            "lattice": "adduct@surface -> dissociated@surface",
            "initial_state": "adduct_surface",
            "activation_energy_eV": 0.7,
            "activation_sigma_eV": 0.1,
            "barrier_source": "bep",
        },
    ]
    defaults = {"activation_energy_eV": 0.0, "activation_sigma_eV": 0.0, "barrier_source": "none", "status": "ok"}
    rows = [shared | defaults | s | {"final_state": s["step"], "reactive": "bep" in s.values()} for s in steps]
    path = tmp_path / "energetics"
    path.mkdir()
    shared = {"system": SYSTEM, "temperature_K": 313.15, "pressure_Pa": 1e5, "flags": "", "sample_model": "no ligand"}
    pd.DataFrame([shared | state for state in states]).to_csv(path / "states.csv", index=False)
    pd.DataFrame(rows).to_csv(path / "steps.csv", index=False)
    site = {"system": SYSTEM, "family": "surface", "initial_species": "free@surface", "density_per_nm2": 5.7}
    pd.DataFrame([site]).to_csv(path / "sites.csv", index=False)
    return path


def test_kinetics_writes_both_tables(ok, ok_json, tables, tmp_path):
    out = tmp_path / "cycle"
    words = ("kinetics", tables, "--system", SYSTEM, "--recipe", "alumina_thermal_40C", "--samples", 8, "-o", out)
    row = ok_json(*words, "--pressure_Pa", 20, "--temperature_K", 313.15)
    assert row["precursor_surface"] == 1 and row["pressure_Pa"] == 20 and row["samples"] == 8
    assert row["ligand_loss"] is None  # a number that no step supplies is null, not NaN
    assert pd.read_csv(out / "selectivity.csv")["uptake_per_nm2"][0] == pytest.approx(row["uptake_per_nm2"])
    coverages = pd.read_csv(out / "coverages.csv")
    total = coverages[["free@surface", "adduct@surface", "dissociated@surface"]].sum(axis=1)
    assert np.allclose(total, 1) and coverages["time_s"].iloc[-1] == pytest.approx(row["time_s"])
    assert "precursor_surface          1" in ok(*words)
    for name in ("control.csv", "ledger.csv", "saturation.png", "coverages.svg", "dose.csv", "growth.csv"):
        assert (out / name).stat().st_size > 0, name
    assert "no column formula" in (out / "mechanism.yaml").read_text()


def test_kinetics_of_a_mechanism_by_hand(ok_json, fails, tmp_path):
    out, path = tmp_path / "alumina", Path(__file__).parents[2] / "config" / "mechanisms" / "alumina_OH.yaml"
    words = ("kinetics", path, "--recipe", "alumina_thermal_40C", "--samples", 4, "-o", out)
    row = ok_json(*words, "--map", "--cycles", 3, "--temperature_K", 450, "--pore_nm", 5)
    assert row["temperature_K"] == 450 and row["time_s"] == pytest.approx(3 * 12.055)
    assert row["growth_per_cycle_per_nm2"] > 1 and row["dose_95_langmuir"] > 0
    assert len(pd.read_csv(out / "map.csv")) == 625 and (out / "map.png").stat().st_size > 0
    assert pd.read_csv(out / "penetration.csv")["depth_nm"].is_monotonic_increasing
    assert "Knudsen diffusion is assumed, give 0 to 30 nm" in fails(*words, "--pore_nm", 100)
    assert (out / "mechanism.yaml").read_text().startswith("description: Al2O3_OH, made by qdsurf; exact at 450.0 K")
    assert "holds at 291.15 to 673.15 K" in fails(*words, "--temperature_K", 200)
    missing = fails("kinetics", tmp_path / "none.yaml", "--recipe", "alumina_thermal_40C", "-o", out)
    assert "none.yaml: no such file" in missing


def test_a_recipe_may_come_from_a_file(ok_json, tables, tmp_path):
    recipe = tmp_path / "short.yaml"
    recipe.write_text(
        "{name: short, temperature_K: 313.15, source: assumed for the test, steps: "
        "[{role: precursor, species: TMA, pressure_Pa: 1, duration_s: 0.1}]}"
    )
    row = ok_json("kinetics", tables, "--recipe", recipe, "--samples", 2, "-o", tmp_path / "out")
    assert row["time_s"] == 0.1 and row["pressure_Pa"] == 1


def test_kinetics_errors(fails, tables, tmp_path):
    def words(folder=tables, system=SYSTEM, recipe="alumina_thermal_40C"):
        return ("kinetics", folder, "--system", system, "--recipe", recipe, "-o", tmp_path / "out")

    assert "unknown system 'PbS_100_PbS~oleate~TMA'" in fails(*words(system="PbS_100_PbS~oleate~TMA"))
    assert "unknown system 'PbS'" in fails(*words(system="PbS"))
    assert "unknown recipe" in fails(*words(recipe="alumina"))
    assert "states.csv: no such file; the folder must hold" in fails(*words(folder=tmp_path))
    assert "holds at 313.15 K" in fails(*words(), "--temperature_K", 400)
    pd.read_csv(tables / "steps.csv").drop(columns="lattice").to_csv(tables / "steps.csv", index=False)
    assert "steps.csv: has no column lattice" in fails(*words())
    (tables / "steps.csv").write_text("")
    assert "steps.csv: not readable as CSV" in fails(*words())
    assert not (tmp_path / "out").exists()


def test_show_draws_a_picture(tmp_path, capsys):
    assert main(["slab", "PbS", "100", "--layers", "2", "-o", str(tmp_path / "slab.xyz")]) == 0
    assert main(["show", str(tmp_path / "slab.xyz"), "-o", str(tmp_path / "slab.png")]) == 0
    assert (tmp_path / "slab.png").read_bytes().startswith(b"\x89PNG")
    assert main(["show", str(tmp_path / "slab.xyz"), "-o", str(tmp_path / "slab.pdf")]) == 2
    assert "written as .svg or .png" in capsys.readouterr().err
