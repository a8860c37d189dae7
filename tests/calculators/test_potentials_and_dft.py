"""Density functionals and machine-learned potentials: missing parts are named, and forces are the gradient."""

import copy
import hashlib
import shutil
from dataclasses import replace

import numpy as np
import pytest
from ase import Atoms
from ase.build import fcc111, molecule
from ase.calculators.emt import EMT

from qdsurf.atomistic.annotation import ADSORBATE, annotate
from qdsurf.calculators.gpaw import boxed_molecule
from qdsurf.calculators.registry import CODES, check_calculator, describe_calculator, make_calculator
from qdsurf.errors import CalculationError, InputError
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.reference_set import read_reference
from qdsurf.relaxation.relax import relax_batch

WITH_WEIGHTS = [name for name, code in CODES.items() if code.needs_weights]


def spec(name: str, **parameters) -> CalculatorSpec:
    return CalculatorSpec(name=name, parameters=parameters)


def test_the_registry_has_all_codes():
    potentials = {"sevennet", "mace", "fairchem", "sevennet-torch", "orb"}
    assert set(CODES) == potentials | {"emt", "tblite", "mopac", "cp2k", "gpaw", "pyscf"}


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_missing_weights_are_refused_with_their_name(name, tmp_path):
    with pytest.raises(InputError, match=f"model: absent; {name} needs the path of a file with weights"):
        make_calculator(spec(name))
    missing = tmp_path / "my.model"
    with pytest.raises(InputError, match=rf"{missing}: no such file; give the path of the weights of {name}"):
        make_calculator(spec(name, model=str(missing)))


@pytest.mark.parametrize("name", [name for name, code in CODES.items() if code.install])
def test_a_code_that_is_not_installed_is_refused_with_the_install_command(name, monkeypatch):
    monkeypatch.setitem(CODES, name, replace(CODES[name], module="no_such_code"))
    with pytest.raises(InputError, match=f"{name} needs no_such_code .*install"):
        make_calculator(spec(name, **({"model": "name"} if name in WITH_WEIGHTS else {})))


def test_a_calculator_is_checked_without_loading_weights(tmp_path, monkeypatch):
    def load(model: str, device: str = "cpu"):
        raise AssertionError("loaded")

    weights = tmp_path / "small.model"
    weights.write_bytes(b"weights")
    monkeypatch.setitem(CODES, "mace", replace(CODES["mace"], module="json", build=load))
    check_calculator(spec("mace", model=str(weights)))
    with pytest.raises(InputError, match="mace does not accept .*devise"):
        check_calculator(spec("mace", model=str(weights), devise="cuda"))
    with pytest.raises(AssertionError, match="loaded"):
        make_calculator(spec("mace", model=str(weights)))


@pytest.mark.parametrize("name", WITH_WEIGHTS)
def test_the_description_contains_the_hash_of_the_weights(name, tmp_path):
    weights = tmp_path / "small.model"
    weights.write_bytes(b"weights")
    described = describe_calculator(spec(name, model=str(weights)))
    assert described["weights_sha256"] == hashlib.sha256(b"weights").hexdigest()
    assert "weights_sha256" not in describe_calculator(spec(name, model="a-name"))


def test_dispersion_is_added_to_a_potential(monkeypatch):
    dftd3 = pytest.importorskip("dftd3.ase")
    monkeypatch.setitem(CODES, "mace", replace(CODES["mace"], module="json", build=lambda model: EMT()))
    without_d3, with_d3 = spec("mace", model="name"), spec("mace", model="name", d3="PBE")
    assert (without_d3.label, with_d3.label) == ("mace name", "mace name D3"), "results are in different folders"
    slab = fcc111("Cu", (2, 2, 2), vacuum=6.0)
    energies, forces = [], []
    for calculator in (
        make_calculator(without_d3),
        make_calculator(with_d3),
        dftd3.DFTD3(method="pbe", damping="d3bj"),
    ):
        slab.calc = calculator
        energies.append(slab.get_potential_energy())
        forces.append(slab.get_forces())
    assert energies[1] == pytest.approx(energies[0] + energies[2]) and energies[2] < -1
    assert forces[1] == pytest.approx(forces[0] + forces[2])
    (result,) = relax_batch([annotate(slab, ADSORBATE)], with_d3, 0.05, 20)
    assert result.converged and result.calculator["dftd3"]


def test_a_functional_without_d3_parameters_is_refused(monkeypatch):
    pytest.importorskip("dftd3")
    monkeypatch.setitem(CODES, "mace", replace(CODES["mace"], module="json", build=lambda model: EMT()))
    with pytest.raises(InputError, match="d3: D3.BJ. has no parameters for 'BPE'; give .* PBE"):
        check_calculator(spec("mace", model="name", d3="BPE"))
    monkeypatch.setitem(CODES, "pyscf", replace(CODES["pyscf"], module="json"))
    with pytest.raises(InputError, match="pyscf does not accept .*d3"):
        check_calculator(spec("pyscf", d3="PBE"))


def test_a_program_that_is_not_on_the_path_is_refused_with_its_name():
    with pytest.raises(InputError, match="'no_such_cp2k' was not found on this machine; install CP2K"):
        make_calculator(spec("cp2k", command="no_such_cp2k"))


def assert_forces_are_the_gradient(atoms: Atoms, index: int, axis: int, step: float, tolerance: float) -> None:
    forces = atoms.get_forces()
    energies = []
    for sign in (1, -1):
        moved = atoms.copy()
        moved.positions[index, axis] += sign * step
        moved.calc = atoms.calc
        energies.append(moved.get_potential_energy())
    assert forces[index, axis] == pytest.approx(-(energies[0] - energies[1]) / (2 * step), abs=tolerance)


@pytest.mark.dft
def test_pyscf_on_water():
    pytest.importorskip("pyscf")
    water = molecule("H2O")
    water.calc = make_calculator(spec("pyscf", xc="pbe", basis="def2-svp"))
    assert water.get_potential_energy() == pytest.approx(
        -76.27 * 27.2114, abs=1.5
    )  # total energy of water, double zeta
    assert_forces_are_the_gradient(water, 1, 2, 0.01, 0.03)
    periodic = molecule("H2O", vacuum=5, pbc=True)
    periodic.calc = water.calc
    with pytest.raises(CalculationError, match="molecules only"):
        periodic.get_potential_energy()


@pytest.mark.dft
@pytest.mark.skipif(shutil.which("cp2k_shell.psmp") is None, reason="CP2K is not installed")
def test_cp2k_on_a_molecule_and_on_a_slab():
    hydrogen = molecule("H2")
    hydrogen.calc = make_calculator(spec("cp2k", cutoff_Ry=300.0, dispersion=False))
    assert hydrogen.get_potential_energy() == pytest.approx(-31.7, abs=0.5)  # PBE, -1.166 Hartree
    assert_forces_are_the_gradient(hydrogen, 0, 2, 0.02, 0.1)
    salt = Atoms("LiH", [[0, 0, 0], [2.04, 0, 0]], cell=[4.08, 4.08, 12], pbc=(True, True, False))
    salt.calc = make_calculator(spec("cp2k", cutoff_Ry=300.0))
    assert np.isfinite(salt.get_potential_energy()) and salt.calc.results["forces"].shape == (2, 3)


@pytest.mark.dft
def test_gpaw_on_a_molecule_and_on_a_slab():
    pytest.importorskip("gpaw")
    hydrogen = molecule("H2")
    hydrogen.calc = make_calculator(spec("gpaw", ecut_eV=300.0, kpoints=2))
    assert hydrogen.get_potential_energy() == pytest.approx(-6.7, abs=0.3)  # PBE, from spin-paired atoms
    assert_forces_are_the_gradient(hydrogen, 0, 2, 0.02, 0.1)
    salt = Atoms("LiH", [[0, 0, 0], [2.04, 0, 0]], cell=[4.08, 4.08, 8], pbc=(True, True, False))
    salt.calc = make_calculator(spec("gpaw", ecut_eV=300.0, kpoints=2))
    assert np.isfinite(salt.get_potential_energy()) and salt.calc.results["forces"].shape == (2, 3)


def test_the_box_around_a_molecule_does_not_change_with_small_displacements():
    water = molecule("H2O")
    boxed = boxed_molecule(water)
    water.positions[1, 1] += 0.01
    assert np.array_equal(boxed_molecule(water).cell, boxed.cell) and (boxed.positions >= 5).all()
    slab = Atoms("LiH", [[0, 0, 0], [2.04, 0, 0]], cell=[4.08, 4.08, 8], pbc=(True, True, False))
    boxed = boxed_molecule(slab)
    assert np.array_equal(boxed.cell, slab.cell) and boxed.positions[:, 2] == pytest.approx(4)


@pytest.fixture
def tiny_mace(tmp_path):
    """A MACE model with random weights for H and O, in a file."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("mace")
    from e3nn import o3
    from mace import modules

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    model = modules.ScaleShiftMACE(
        r_max=4.0, num_bessel=4, num_polynomial_cutoff=3, max_ell=1, num_interactions=2, num_elements=2,
        interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        interaction_cls_first=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
        hidden_irreps=o3.Irreps("8x0e"), MLP_irreps=o3.Irreps("4x0e"), gate=torch.nn.functional.silu,
        atomic_energies=np.array([-13.6, -432.0]), avg_num_neighbors=4.0, atomic_numbers=[1, 8], correlation=1,
        radial_type="bessel", atomic_inter_scale=1.0, atomic_inter_shift=0.0,
    )  # fmt: skip
    torch.save(model, tmp_path / "tiny.model")
    return tmp_path / "tiny.model"


@pytest.mark.mlip
def test_mace_from_a_file_of_weights(tiny_mace):
    water = molecule("H2O")
    water.calc = make_calculator(spec("mace", model=str(tiny_mace)))
    assert_forces_are_the_gradient(water, 1, 2, 1e-3, 1e-4)
    described = describe_calculator(spec("mace", model=str(tiny_mace)))
    assert described["weights_sha256"] == hashlib.sha256(tiny_mace.read_bytes()).hexdigest()


@pytest.fixture
def tiny_sevennet(tmp_path):
    """A SevenNet model with random weights for H and O, in a checkpoint."""
    torch = pytest.importorskip("torch")
    sevenn = pytest.importorskip("sevenn")
    from sevenn._const import model_defaults
    from sevenn.model_build import build_E3_equivariant_model
    from sevenn.util import chemical_species_preprocess

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    config = {
        **model_defaults({}), **chemical_species_preprocess(["H", "O"]), "version": sevenn.__version__,
        "cutoff": 4.0, "channel": 4, "num_convolution_layer": 2, "conv_denominator": 4.0, "shift": 0.0, "scale": 1.0,
    }  # fmt: skip
    weights = build_E3_equivariant_model(copy.deepcopy(config)).state_dict()  # building takes names out of its input
    torch.save({"config": config, "model_state_dict": weights}, tmp_path / "tiny.pth")
    return tmp_path / "tiny.pth"


@pytest.mark.mlip
def test_sevennet_in_torch_from_a_file_of_weights(tiny_sevennet):
    water = molecule("H2O")
    water.calc = make_calculator(spec("sevennet-torch", model=str(tiny_sevennet)))
    assert np.isfinite(water.get_potential_energy()) and abs(water.get_forces()).max() > 0.01
    assert_forces_are_the_gradient(water, 1, 2, 0.01, 5e-3)  # single precision
    described = describe_calculator(spec("sevennet-torch", model=str(tiny_sevennet)))
    assert described["weights_sha256"] == hashlib.sha256(tiny_sevennet.read_bytes()).hexdigest()


@pytest.mark.mlip
def test_sevennet_in_torch_with_the_weights_of_its_wheel():
    """AlMe3 on the bare CsPbBr3(100); its adsorption energy at the reference level is -0.71 eV."""
    pytest.importorskip("sevenn")
    pytest.importorskip("dftd3")
    calculator = make_calculator(spec("sevennet-torch", model="7net-0", d3="PBE"))
    reference = read_reference()
    step = next(one for one in reference.surfaces.steps if one.name == "TMA on CsPbBr3(100)")
    energy = 0.0
    for name, number in step.stoichiometry.items():
        atoms = reference.geometries[name].copy()
        atoms.calc = calculator
        energy += number * atoms.get_potential_energy()
    assert energy == pytest.approx(reference.reaction_energy(step), abs=0.2)


@pytest.fixture
def random_orb(tmp_path):
    """Random weights for the conservative architecture of Orb v3, in a file."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("orb_models")
    from orb_models.forcefield.pretrained import orb_v3_conservative_architecture

    torch.manual_seed(0)
    torch.save(orb_v3_conservative_architecture(device="cpu").state_dict(), tmp_path / "random.ckpt")
    return tmp_path / "random.ckpt"


@pytest.mark.mlip
def test_orb_from_a_file_of_weights(random_orb):
    water = molecule("H2O")
    water.calc = make_calculator(spec("orb", model=str(random_orb)))
    assert np.isfinite(water.get_potential_energy()) and abs(water.get_forces()).max() > 0.01
    assert_forces_are_the_gradient(water, 1, 2, 1e-3, 1e-3)
    described = describe_calculator(spec("orb", model=str(random_orb)))
    assert described["weights_sha256"] == hashlib.sha256(random_orb.read_bytes()).hexdigest()
    with pytest.raises(InputError, match="unknown Orb network 'orb-v9'"):
        make_calculator(spec("orb", model="orb-v9"))


@pytest.fixture
def tiny_fairchem(tmp_path):
    """An eSCN model with random weights for molecules, in a checkpoint for inference."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("fairchem.core")
    from fairchem.core.models.base import HydraModel
    from fairchem.core.units.mlip_unit.api.inference import MLIPInferenceCheckpoint

    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    model = {
        "backbone": {
            "model": "fairchem.core.models.uma.escn_md.eSCNMDBackbone", "dataset_mapping": {"omol": "omol"},
            "sphere_channels": 8, "hidden_channels": 8, "edge_channels": 8, "num_distance_basis": 16, "num_layers": 2,
            "lmax": 1, "mmax": 1, "cutoff": 4.0, "otf_graph": True, "direct_forces": False,
        },
        "heads": {"energy_and_forces": {"module": "fairchem.core.models.uma.escn_md.MLP_EFS_Head"}},
        "pass_through_head_outputs": True,
    }  # fmt: skip
    unit = "fairchem.core.units.mlip_unit.mlip_unit"
    tasks = [
        {
            "_target_": f"{unit}.Task", "name": name, "property": name, "level": level, "datasets": ["omol"],
            "out_spec": {"_target_": f"{unit}.OutputSpec", "dim": [dim], "dtype": "float32"},
            "normalizer": {"_target_": "fairchem.core.modules.normalization.normalizer.Normalizer"},
        }
        for name, level, dim in (("energy", "system", 1), ("forces", "atom", 3))
    ]  # fmt: skip
    averaged = torch.optim.swa_utils.AveragedModel(HydraModel(**model)).state_dict()  # the weights that inference reads
    config = {"_target_": "fairchem.core.models.base.HydraModel", **model}
    torch.save(MLIPInferenceCheckpoint(config, {}, averaged, tasks), tmp_path / "tiny.pt")
    return tmp_path / "tiny.pt"


@pytest.mark.mlip
def test_fairchem_from_a_file_of_weights(tiny_fairchem):
    water = molecule("H2O")
    water.calc = make_calculator(spec("fairchem", model=str(tiny_fairchem), task="omol"))
    energy = water.get_potential_energy()
    assert np.isfinite(energy) and abs(water.get_forces()).max() > 0.01
    assert_forces_are_the_gradient(water, 1, 1, 1e-3, 1e-6)
    water.calc = make_calculator(spec("fairchem", model=str(tiny_fairchem), task="omol", precision="float32"))
    assert 0 < abs(water.get_potential_energy() - energy) < 1e-5
    assert_forces_are_the_gradient(water, 1, 1, 0.01, 1e-4)
    described = describe_calculator(spec("fairchem", model=str(tiny_fairchem), task="omol"))
    assert described["weights_sha256"] == hashlib.sha256(tiny_fairchem.read_bytes()).hexdigest()
    with pytest.raises(InputError, match="unknown fairchem task 'omal'; did you mean 'omol'"):
        make_calculator(spec("fairchem", model=str(tiny_fairchem), task="omal"))
    with pytest.raises(InputError, match="unknown fairchem model 'uma-s-9'"):
        make_calculator(spec("fairchem", model="uma-s-9", task="omol"))
