"""Levels above the semi-empirical ones: density functionals and machine-learned potentials, loaded when asked for."""

import hashlib
import shlex
import shutil
from collections.abc import Callable
from importlib import import_module
from inspect import signature
from pathlib import Path
from tempfile import mkdtemp
from typing import NamedTuple, cast

from ase.calculators.calculator import Calculator
from ase.calculators.mixing import SumCalculator

from qdsurf.calculators.dispersion import Dispersion
from qdsurf.errors import InputError, unknown
from qdsurf.records import CalculatorSpec

D3 = "d3"  # parameter of every potential: the functional whose dispersion is added to it


class Level(NamedTuple):
    """How a level is loaded: the module that must be there, words for how to get it, and what builds the calculator."""

    module: str
    install: str
    make: Callable[..., Calculator]
    weights: bool = False
    molecules_only: bool = False


def make_level(spec: CalculatorSpec) -> Calculator:
    """Build the calculator of a level by its name; raises what `check_level` does."""
    check_level(spec)
    calculator = LEVELS[spec.name].make(**_own_parameters(spec))
    dispersion = _dispersion(spec)
    return cast(Calculator, SumCalculator([calculator, dispersion])) if dispersion else calculator


def check_level(spec: CalculatorSpec) -> None:
    """See that a level can be built, without loading its weights.

    Raises
    ------
    InputError : the code or the weights are not there; says which and how to get them; or a parameter is unknown.
    """
    level = LEVELS[spec.name]
    if level.weights:
        _assert_weights(spec)
    try:
        import_module(level.module)
    except ImportError as error:
        raise InputError(f"calculator.name: {spec.name} needs {level.module} ({error}); {level.install}") from None
    try:
        signature(level.make).bind(**_own_parameters(spec))
    except TypeError as error:
        raise InputError(f"calculator.parameters: {spec.name} refuses {dict(spec.parameters)}: {error}") from None
    _dispersion(spec)


def _own_parameters(spec: CalculatorSpec) -> dict:
    added = {D3} if LEVELS[spec.name].weights else set()
    return {key: value for key, value in spec.parameters.items() if key not in added}


def _dispersion(spec: CalculatorSpec) -> Calculator | None:
    """D3(BJ) of a functional, 10.1002/jcc.21759, for potentials that were trained on energies without dispersion."""
    if not LEVELS[spec.name].weights or spec.parameters.get(D3, "none") == "none":
        return None
    return Dispersion(str(spec.parameters[D3]))


def weights_hash(spec: CalculatorSpec) -> str | None:
    """SHA-256 of the file with the weights; None where the level has none or knows them by name."""
    path = Path(str(spec.parameters.get("model", "")))
    if spec.name not in LEVELS or not LEVELS[spec.name].weights or not path.is_file():
        return None
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _assert_weights(spec: CalculatorSpec) -> None:
    """Refuse a path of weights that is not there; a word without slash or suffix is a name for the package."""
    if "model" not in spec.parameters:
        raise InputError(
            f"calculator.parameters.model: absent; {spec.name} needs the path of a file with weights, or the name "
            "under which the package knows them"
        )
    path = Path(str(spec.parameters["model"]))
    is_path = path.suffix in (".model", ".pt", ".pth", ".ckpt", ".safetensors") or len(path.parts) > 1
    if is_path and not path.is_file():
        raise InputError(
            f"calculator.parameters.model: {path}: no such file; give the path of the weights of {spec.name}, which "
            "its authors publish, or a name that the package knows"
        )


def _mace(model: str, device: str = "cpu", dtype: str = "float64", head: str | None = None) -> Calculator:
    from mace.calculators import MACECalculator, mace_mp

    if Path(model).is_file():
        return MACECalculator(model_paths=model, device=device, default_dtype=dtype, **({"head": head} if head else {}))
    return mace_mp(model=model, device=device, default_dtype=dtype)


def _fairchem(model: str, task: str, precision: str = "float64", device: str = "cpu") -> Calculator:
    from fairchem.core import FAIRChemCalculator, pretrained_mlip
    from fairchem.core.units.mlip_unit import InferenceSettings, load_predict_unit

    if not Path(model).is_file() and model not in pretrained_mlip.available_models:
        raise unknown("fairchem model", model, pretrained_mlip.available_models, "calculator.parameters")
    load = load_predict_unit if Path(model).is_file() else pretrained_mlip.get_predict_unit
    # The package's own default compiles, minutes at the first call, and rounds to TF32 on a GPU.
    unit = load(model, inference_settings=InferenceSettings(base_precision_dtype=precision), device=device)
    if task not in unit.dataset_to_tasks:
        raise unknown("fairchem task", task, unit.dataset_to_tasks, "calculator.parameters")
    return FAIRChemCalculator(unit, task_name=task)


def _sevennet_torch(model: str, modal: str | None = None, device: str = "cpu") -> Calculator:
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator(model, modal=modal, device=device)


def _orb(
    model: str, architecture: str = "orb-v3-conservative-inf-omat", precision: str = "float64", device: str = "cpu"
) -> Calculator:
    from orb_models.forcefield.calculator import ORBCalculator
    from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

    path = {"weights_path": model} if Path(model).is_file() else {}
    name = (architecture if path else model).replace("_", "-")
    if name not in ORB_PRETRAINED_MODELS:
        raise unknown("Orb network", name, ORB_PRETRAINED_MODELS, "calculator.parameters")
    # Compiled by default, which wants a C++ compiler and minutes at the first call.
    network = ORB_PRETRAINED_MODELS[name](device=device, precision=precision, compile=False, **path)
    return ORBCalculator(network, device=device)


def _pyscf(xc: str = "pbe", basis: str = "def2-svp") -> Calculator:
    from qdsurf.compute.kohn_sham import KohnSham

    return KohnSham(xc, basis)


def _cp2k(
    xc: str = "PBE",
    basis: str = "DZVP-MOLOPT-SR-GTH",
    cutoff_Ry: float = 400.0,
    dispersion: bool = True,
    command: str = "cp2k_shell.psmp",
) -> Calculator:
    from qdsurf.compute.cp2k import Cp2k

    if shutil.which(command.split()[0]) is None:
        raise InputError(f"calculator.parameters.command: {command!r} is no program here; {LEVELS['cp2k'].install}")
    quoted = shlex.join(shlex.split(command))  # ASE gives it to a shell
    return Cp2k(xc, basis, cutoff_Ry, dispersion, quoted, folder=mkdtemp(prefix="cp2k-"))


def _gpaw(xc: str = "PBE", ecut_eV: float = 400.0, kpoints: int = 1) -> Calculator:
    from qdsurf.compute.gpaw import Gpaw

    return Gpaw(xc, ecut_eV, kpoints)


LEVELS = {
    "cp2k": Level("ase.calculators.cp2k", "install CP2K, such as `apt-get install cp2k`", _cp2k),
    "gpaw": Level("gpaw", "`pip install gpaw gpaw-data`, which needs libxc and BLAS", _gpaw),
    "pyscf": Level("pyscf", "`pip install 'qdsurf[reference]'`; molecules only", _pyscf, molecules_only=True),
    "mace": Level("mace", "`pip install mace-torch`", _mace, weights=True),
    "fairchem": Level("fairchem.core", "`pip install fairchem-core`", _fairchem, weights=True),
    "sevennet-torch": Level("sevenn", "`pip install 'qdsurf[mlip]'`", _sevennet_torch, weights=True),
    "orb": Level("orb_models.forcefield.calculator", "`pip install orb-models==0.5.5`", _orb, weights=True),
}
