"""The Python interface: names or records, one set of defaults, messages as on the command line."""

import inspect
import subprocess
import sys

import numpy as np
import pytest
from ase import Atoms
from ase.build import molecule

import qdsurf
from qdsurf import api, defaults
from qdsurf.cli.parser import build_parser
from qdsurf.errors import InputError
from qdsurf.records import library

FUNCTIONS = [getattr(qdsurf, name) for name in qdsurf.__all__ if name[0].islower()]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_arguments_after_the_second_are_given_by_keyword(function):
    parameters = list(inspect.signature(function).parameters.values())
    assert all(parameter.kind is parameter.KEYWORD_ONLY for parameter in parameters[2:])
    assert "Examples" in function.__doc__ and ">>> " in function.__doc__


def test_importing_qdsurf_loads_nothing_else():
    code = "import sys, qdsurf; assert not {'ase', 'numpy', 'pydantic'} & set(sys.modules); qdsurf.slab"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'qdsurf' has no attribute 'slap'"):
        _ = qdsurf.slap


def test_names_and_records_give_the_same():
    by_name = qdsurf.slab("PbS", "100", layers=2)
    record = library.material("PbS")
    by_record = qdsurf.slab(record, api.choose_facet(record, "100"), layers=2)
    assert by_name == by_record
    covered = [
        qdsurf.ligate(qdsurf.slab("PbS", "100", supercell=(3, 2)), one)
        for one in ("acetate", library.ligand("acetate"))
    ]
    assert covered[0] == covered[1]


def test_a_mixture_and_a_coverage():
    surface = qdsurf.slab("PbS", "100", layers=2, supercell=(4, 4))
    covered = qdsurf.ligate(surface, {"acetate": 0.5, "formate": 0.5}, coverage_per_nm2=1.4)
    assert len(np.unique(covered.arrays["fragment"])) > 3
    with pytest.raises(InputError, match="count and coverage_per_nm2 are both given"):
        qdsurf.ligate(surface, "acetate", count=1, coverage_per_nm2=1.0)
    with pytest.raises(InputError, match="less than one ligand"):
        qdsurf.ligate(surface, "acetate", coverage_per_nm2=0.01)


def test_sites_are_typed():
    site = qdsurf.sites(qdsurf.slab("PbS", "100", layers=2))[0]
    assert isinstance(site, qdsurf.Site) and site.position.shape == site.normal.shape == (3,)
    with pytest.raises(AttributeError):
        site.name = "other"


def test_a_smiles_over_a_named_site():
    surface = qdsurf.slab("PbS", "100", layers=2, supercell=(3, 3))
    poses = qdsurf.place(surface, "O", site="top:Pb", poses=2)
    assert len(poses) == 2 and poses[0].get_chemical_formula() == "H2OPb18S18"
    with pytest.raises(InputError, match=r"unknown site 'top:Cd'.*Accepted: .*top:Pb"):
        qdsurf.place(surface, "O", site="top:Cd")


def test_relax_takes_one_or_several():
    one = qdsurf.relax(molecule("H2O"), "emt", fmax_eV_per_A=0.1)
    several = qdsurf.relax([molecule("H2O"), molecule("CH4")], "emt", fmax_eV_per_A=0.1)
    assert isinstance(one, qdsurf.RelaxationResult) and one.converged and one.flags == ()
    assert [result.converged for result in several] == [True, True]
    assert one.atoms.get_potential_energy() == pytest.approx(one.energy_eV)


def test_reactions_say_why_they_do_not_apply():
    surface = qdsurf.slab("PbS", "100", layers=2, supercell=(3, 2))
    matches = {match.name: match for match in qdsurf.reactions(surface, "TMA")}
    assert matches["adduct_surface"].applies and not matches["adduct_surface"].reason
    assert not matches["carboxylate_transfer"].applies and matches["carboxylate_transfer"].reason
    with pytest.raises(InputError, match="already carries a precursor"):
        qdsurf.reactions(qdsurf.place(surface, "TMA")[0], "TMA")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: qdsurf.slab("PbSS", "100"), "unknown material 'PbSS'; did you mean 'PbS'"),
        (lambda: qdsurf.slab(3, "100"), "material: 3 is neither a name, such as 'Ag', nor a Material"),
        (lambda: qdsurf.slab("PbS", "100", termination="Cd"), "unknown termination 'Cd'"),
        (lambda: qdsurf.ligate("slab.xyz", "acetate"), "str is not a structure; give ase.Atoms, or read a file"),
        (lambda: qdsurf.ligate(qdsurf.slab("PbS", "100"), 1.0), "ligand: 1.0 is neither a name, such as "),
        (lambda: qdsurf.energy(molecule("H2O"), "vasp"), "unknown calculator 'vasp'"),
        (lambda: qdsurf.energy(Atoms("Rn")), "has no parameters for Rn"),
        (lambda: qdsurf.energy(molecule("H2O"), parameters={"model": "x"}), "unknown sevennet model 'x'"),
        (lambda: qdsurf.nanocrystal("PbS", 2.0, ligands="methylamine"), "coverage: give the number of methylamine"),
        (lambda: qdsurf.kinetics("nothing.yaml", "alumina_thermal_40C"), "nothing.yaml"),
        (lambda: qdsurf.read("nothing.xyz"), "nothing.xyz: no such file"),
    ],
)
def test_messages_are_those_of_the_command_line(call, words):
    with pytest.raises(ValueError, match=words.replace("(", r"\(")):
        call()


def test_defaults_are_those_of_the_command_line():
    parser = build_parser()
    slab = parser.parse_args(["slab", "PbS", "100", "-o", "x.xyz"])
    signature = inspect.signature(qdsurf.slab).parameters
    assert slab.vacuum == signature["vacuum_A"].default == defaults.VACUUM_A
    assert slab.mobile_layers == signature["mobile_layers"].default
    assert slab.passivating_ion == signature["passivation"].default
    relax = parser.parse_args(["relax", "x.xyz", "-o", "y.xyz"])
    signature = inspect.signature(qdsurf.relax).parameters
    assert (relax.fmax, relax.max_steps) == tuple(signature[name].default for name in ("fmax_eV_per_A", "max_steps"))
    assert relax.calculator == signature["calculator"].default
