"""Machine-learned potentials that need torch: imported when they are built, with weights from the user."""

import hashlib
from pathlib import Path

from ase.calculators.calculator import Calculator

from qdsurf.errors import InputError, unknown
from qdsurf.records.models import CalculatorSpec


def assert_weights(spec: CalculatorSpec) -> None:
    """Refuse a missing file of weights, without loading it.

    A `model` without slash and without the suffix of a file of weights is a name that the package itself resolves.
    """
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


def weights_hash(spec: CalculatorSpec) -> str | None:
    """SHA-256 of the file of weights; None if `model` is a name."""
    path = Path(str(spec.parameters.get("model", "")))
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def mace(model: str, device: str = "cpu", dtype: str = "float64", head: str | None = None) -> Calculator:
    """Build a MACE calculator; `model` is a file of weights or a name of the foundation models."""
    from mace.calculators import MACECalculator, mace_mp

    if Path(model).is_file():
        return MACECalculator(model_paths=model, device=device, default_dtype=dtype, **({"head": head} if head else {}))
    return mace_mp(model=model, device=device, default_dtype=dtype)


def fairchem(model: str, task: str, precision: str = "float64", device: str = "cpu") -> Calculator:
    """Build a UMA or another fairchem calculator; `task` is one of the tasks that the weights were trained for."""
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


def sevennet_torch(model: str, modal: str | None = None, device: str = "cpu") -> Calculator:
    """Build the SevenNet calculator of its authors, which needs torch."""
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator(model, modal=modal, device=device)


def orb(
    model: str, architecture: str = "orb-v3-conservative-inf-omat", precision: str = "float64", device: str = "cpu"
) -> Calculator:
    """Build an Orb calculator; `architecture` is needed where `model` is a file of weights."""
    from orb_models.forcefield.calculator import ORBCalculator
    from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

    path = {"weights_path": model} if Path(model).is_file() else {}
    name = (architecture if path else model).replace("_", "-")
    if name not in ORB_PRETRAINED_MODELS:
        raise unknown("Orb network", name, ORB_PRETRAINED_MODELS, "calculator.parameters")
    # Compiled by default, which wants a C++ compiler and minutes at the first call.
    network = ORB_PRETRAINED_MODELS[name](device=device, precision=precision, compile=False, **path)
    return ORBCalculator(network, device=device)
