"""Machine-learned potentials that need torch. They are imported when they are built; the user supplies the weights."""

import hashlib
from pathlib import Path

from ase.calculators.calculator import Calculator

from qdsurf.errors import InputError, unknown
from qdsurf.records.models import CalculatorSpec

WEIGHT_SUFFIXES = (".model", ".pt", ".pth", ".ckpt", ".safetensors")


def assert_weights(spec: CalculatorSpec) -> None:
    """Assert that the file with the weights of a potential exists, without reading it.

    A `model` without a slash and without the suffix of a weights file is a name that the package of the potential
    resolves. It is not checked.

    Parameters
    ----------
    spec : CalculatorSpec
        Record of the calculator.

    Raises
    ------
    InputError
        The parameter `model` is missing, or it is the path of a file that does not exist.
    """
    if "model" not in spec.parameters:
        raise InputError(
            f"calculator.parameters.model: absent; {spec.name} needs the path of a file with weights, or the name "
            "under which the package knows them"
        )
    path = Path(str(spec.parameters["model"]))
    is_path = path.suffix in WEIGHT_SUFFIXES or len(path.parts) > 1
    if is_path and not path.is_file():
        raise InputError(
            f"calculator.parameters.model: {path}: no such file; give the path of the weights of {spec.name}, which "
            "its authors publish, or a name that the package knows"
        )


def weights_hash(spec: CalculatorSpec) -> str | None:
    """Return the hash of the weights file of a potential.

    Parameters
    ----------
    spec : CalculatorSpec
        Record of the calculator.

    Returns
    -------
    str or None
        SHA-256; None if the parameter `model` is not the path of a file.
    """
    path = Path(str(spec.parameters.get("model", "")))
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def mace(model: str, device: str = "cpu", dtype: str = "float64", head: str | None = None) -> Calculator:
    """Build a MACE calculator.

    Parameters
    ----------
    model : str
        Weights file, or name of a foundation model.
    device : str, optional
        Device of torch.
    dtype : str, optional
        Floating-point precision.
    head : str, optional
        Head of a model with several heads; only for a weights file.

    Returns
    -------
    Calculator
        The calculator.
    """
    from mace.calculators import MACECalculator, mace_mp

    if Path(model).is_file():
        options = {"head": head} if head else {}
        return MACECalculator(model_paths=model, device=device, default_dtype=dtype, **options)
    return mace_mp(model=model, device=device, default_dtype=dtype)


def fairchem(model: str, task: str, precision: str = "float64", device: str = "cpu") -> Calculator:
    """Build a UMA calculator or another calculator of fairchem.

    Parameters
    ----------
    model : str
        Weights file, or name of a pretrained model.
    task : str
        One of the tasks for which the weights were trained.
    precision : str, optional
        Floating-point precision.
    device : str, optional
        Device of torch.

    Returns
    -------
    Calculator
        The calculator.

    Raises
    ------
    InputError
        The model or the task is unknown; the message lists the accepted ones.
    """
    from fairchem.core import FAIRChemCalculator, pretrained_mlip
    from fairchem.core.units.mlip_unit import InferenceSettings, load_predict_unit

    if not Path(model).is_file() and model not in pretrained_mlip.available_models:
        raise unknown("fairchem model", model, pretrained_mlip.available_models, "calculator.parameters")
    load = load_predict_unit if Path(model).is_file() else pretrained_mlip.get_predict_unit
    # The default of the package compiles the model, which takes minutes at the first call, and rounds to TF32 on a GPU.
    unit = load(model, inference_settings=InferenceSettings(base_precision_dtype=precision), device=device)
    if task not in unit.dataset_to_tasks:
        raise unknown("fairchem task", task, unit.dataset_to_tasks, "calculator.parameters")
    return FAIRChemCalculator(unit, task_name=task)


def sevennet_torch(model: str, modal: str | None = None, device: str = "cpu") -> Calculator:
    """Build a SevenNet calculator of the package sevenn, which needs torch.

    Parameters
    ----------
    model : str
        Weights file, or name of a pretrained model.
    modal : str, optional
        Modality of a model that was trained on several data sets.
    device : str, optional
        Device of torch.

    Returns
    -------
    Calculator
        The calculator.
    """
    from sevenn.calculator import SevenNetCalculator

    return SevenNetCalculator(model, modal=modal, device=device)


def orb(
    model: str, architecture: str = "orb-v3-conservative-inf-omat", precision: str = "float64", device: str = "cpu"
) -> Calculator:
    """Build an Orb calculator.

    Parameters
    ----------
    model : str
        Weights file, or name of a pretrained model.
    architecture : str, optional
        Name of the network to which a weights file belongs.
    precision : str, optional
        Floating-point precision.
    device : str, optional
        Device of torch.

    Returns
    -------
    Calculator
        The calculator.

    Raises
    ------
    InputError
        The name of the network is unknown; the message lists the accepted ones.
    """
    from orb_models.forcefield.calculator import ORBCalculator
    from orb_models.forcefield.pretrained import ORB_PRETRAINED_MODELS

    path = {"weights_path": model} if Path(model).is_file() else {}
    name = (architecture if path else model).replace("_", "-")
    if name not in ORB_PRETRAINED_MODELS:
        raise unknown("Orb network", name, ORB_PRETRAINED_MODELS, "calculator.parameters")
    # The default of the package compiles the network, which needs a C++ compiler and takes minutes at the first call.
    network = ORB_PRETRAINED_MODELS[name](device=device, precision=precision, compile=False, **path)
    return ORBCalculator(network, device=device)
