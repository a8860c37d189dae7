"""Calculators by name, and what each of them cannot do, known before anything runs."""

import ctypes
import importlib
from collections.abc import Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version

from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from qdsurf.calculators.sevennet.weights import MODELS, trained_elements, weights_sha256
from qdsurf.compute.levels import D3, LEVELS, check_level, make_level, weights_hash
from qdsurf.errors import InputError, UnsupportedElementError, unknown
from qdsurf.records import CalculatorSpec

METHODS = {
    "sevennet": MODELS,
    "emt": (),
    "tblite": ("GFN2-xTB", "GFN1-xTB", "IPEA1-xTB"),
    "mopac": ("PM7", "PM6-D3H4", "PM6"),
}  # the first is the default
ELEMENTS = {
    "tblite": chemical_symbols[1:87],  # GFN1 and GFN2 have parameters up to radon
    "mopac": [*chemical_symbols[1:58], *chemical_symbols[71:84]],  # PM7: no lanthanides but La, Lu; up to bismuth
}
# Any of these, loaded first, takes the place of the reference BLAS in tblite's wheel.
FAST_BLAS = ("libopenblas.so.0", "libmkl_rt.so.2", "libmkl_rt.so.3", "libopenblas.dylib")


def known_calculators() -> list[str]:
    """Names that `make_calculator` understands, apart from `module:Class`."""
    return [*METHODS, *LEVELS]


def make_calculator(spec: CalculatorSpec) -> Calculator:
    """Build a calculator.

    Raises
    ------
    InputError : the name, the class or a parameter is not known.
    """
    if spec.name == "emt":
        from ase.calculators.emt import EMT

        for key in spec.parameters.keys() - EMT.default_parameters.keys():
            raise unknown(
                "parameter", key, EMT.default_parameters, "calculator.parameters"
            )  # ASE would take it silently
        return _construct(EMT, spec)
    if spec.name == "sevennet":
        from qdsurf.calculators.sevennet.calculator import SevenNet

        return _construct(SevenNet, spec)
    if methods := METHODS.get(spec.name):
        method = spec.parameters.get("method", methods[0])
        if method not in methods:
            raise unknown(f"{spec.name} method", str(method), methods, "calculator.parameters.method")
    if spec.name == "tblite":
        from qdsurf.compute.scf import RescuedTBLite

        load_fast_blas()
        return _construct(RescuedTBLite, spec)
    if spec.name == "mopac":
        try:
            from qdsurf.compute.mopac import Mopac
        except ImportError as error:
            raise InputError(
                f"calculator.name: mopac needs mopactools ({error}); `pip install 'qdsurf[mopac]'`"
            ) from None

        return _construct(Mopac, spec)
    if spec.name in LEVELS:
        return make_level(spec)
    module_name, _, class_name = spec.name.partition(":")
    if not (module_name and class_name):
        raise unknown("calculator", spec.name, [*known_calculators(), "module:Class"], "calculator.name")
    try:
        return _construct(getattr(importlib.import_module(module_name), class_name), spec)
    except (ImportError, AttributeError) as error:
        raise InputError(f"calculator.name: {spec.name!r} cannot be imported: {error}") from None


def check_calculator(spec: CalculatorSpec) -> None:
    """Refuse what `make_calculator` would refuse, without loading weights that torch needs."""
    if spec.name in LEVELS and LEVELS[spec.name].weights:
        check_level(spec)
    else:
        make_calculator(spec)


def _construct(factory, spec: CalculatorSpec) -> Calculator:
    try:
        return factory(**spec.parameters)
    except TypeError as error:
        raise InputError(f"calculator.parameters: {spec.name} refuses {dict(spec.parameters)}: {error}") from None


def supported_elements(spec: CalculatorSpec) -> list[str] | None:
    """Elements that a calculator has parameters for; None where it does not say."""
    if spec.name == "emt":
        from ase.calculators.emt import parameters

        return sorted(parameters)
    if spec.name == "sevennet":
        return trained_elements(str(spec.parameters["model"]))
    return ELEMENTS.get(spec.name)


def assert_supported(spec: CalculatorSpec, symbols: Iterable[str]) -> None:
    """Refuse elements that a calculator does not know.

    Raises
    ------
    UnsupportedElementError : lists what is missing and what is supported.
    """
    supported = supported_elements(spec)
    missing = sorted(set(symbols) - set(supported or symbols))
    if supported is not None and missing:
        raise UnsupportedElementError(
            f"calculator {spec.label} has no parameters for {', '.join(missing)}; it supports {', '.join(supported)}"
        )


@cache
def load_fast_blas() -> str:
    """Load a fast BLAS of the system before tblite, if there is one; the energies are the same.

    Returns
    -------
    Name of the library, or "bundled" when tblite keeps the reference BLAS of its wheel.
    """
    for name in FAST_BLAS:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return name
    return "bundled"


def describe_calculator(spec: CalculatorSpec) -> dict:
    """Everything that identifies a calculation: name, version, settings, numerical library."""
    packages = {
        "emt": "ase", "mopac": "mopactools", "mace": "mace-torch", "fairchem": "fairchem-core", "sevennet": "qdsurf",
        "sevennet-torch": "sevenn", "orb": "orb-models",
    }  # fmt: skip
    package = packages.get(spec.name, spec.name.partition(".")[0].partition(":")[0])
    try:
        release = version(package)
    except (PackageNotFoundError, ValueError):  # a module that is no package, or no name at all
        release = "unknown"
    description = {"name": spec.name, "version": release, "parameters": dict(spec.parameters)}
    weights = weights_sha256(str(spec.parameters["model"])) if spec.name == "sevennet" else weights_hash(spec)
    description |= {"weights_sha256": weights} if weights else {}
    description |= {"dftd3": version("dftd3")} if spec.parameters.get(D3, "none") != "none" else {}
    return description | ({"blas": load_fast_blas()} if spec.name == "tblite" else {})
