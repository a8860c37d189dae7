"""Verb nanocrystal: a neutral particle and errors."""

import pytest
from ase.io import read


def test_nanocrystal_is_neutral_and_reports_its_ligands(run, run_json, tmp_path):
    words = ("nanocrystal", "PbS", "--diameter", "1.6nm", "--ligand", "acetate", "-o", tmp_path / "dot.xyz")
    data = run_json(*words)
    dot = read(tmp_path / "dot.xyz")
    assert data["charge"] == 0 and len(dot) == data["atoms"] and not dot.pbc.any()
    assert data["ligands"] + data["passivating_ions"] > 0 and data["surface_atoms_by_facet"]["100"] > 0
    assert "nm^-2" in run(*words)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("CuInSe2 --diameter 3nm", "has no surface energies on record; give facets with ratios, such as 100=1.0"),
        ("PbS --diameter 3nm --facets 100", "--facets '100': write NAME=VALUE, such as 111=1.1"),
        ("PbS --diameter 3nm --facets 100=x", "--facets 100: 'x' is not a number"),
        ("PbS --diameter 3nm --facets 100=-1", "facet 100: -1 is not a surface energy"),
        ("CdSe-wz --diameter 3nm --facets 10-10=1", "the faces 10-10 do not enclose a volume; give more facets"),
        ("PbS --diameter 3nm --centre Pt", "unknown element 'Pt'"),
        ("PbS --diameter 0.2nm", "has no atom with enough bonds; give a larger diameter"),
        ("PbS --diameter 3nm --ligand methylamine", "coverage: give the number of methylamine per nm^2"),
        (
            "CsPbBr3 --diameter 3nm --ligand oleate",
            "the particle is neutral without ligands; give their coverage in nm^-2",
        ),
    ],
)
def test_nanocrystal_errors(words, message, error_of, tmp_path):
    assert message in error_of("nanocrystal", *words.split(), "-o", tmp_path / "s.xyz")
