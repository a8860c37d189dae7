"""Registry of calculators: how each code is built, what it needs, and which elements it supports.

A configuration is checked against this table before the first calculation, so that a missing code, a wrong parameter or
an unsupported element costs no time.
"""

import ctypes
import importlib
import shlex
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from inspect import signature
from tempfile import mkdtemp
from typing import cast

from ase.calculators.calculator import Calculator
from ase.calculators.mixing import SumCalculator
from ase.data import chemical_symbols

from qdsurf.calculators import potentials
from qdsurf.calculators.dispersion import Dispersion
from qdsurf.calculators.sevennet.weights import MODELS, trained_elements, weights_sha256
from qdsurf.errors import InputError, UnsupportedElementError, unknown
from qdsurf.records.models import CalculatorSpec

D3 = "d3"  # parameter of every potential: the functional whose dispersion is added to it
# Any of these libraries, loaded first, replaces the slow reference BLAS in tblite's wheel.
FAST_BLAS = ("libopenblas.so.0", "libmkl_rt.so.2", "libmkl_rt.so.3", "libopenblas.dylib")
TBLITE_METHODS = ("GFN2-xTB", "GFN1-xTB", "IPEA1-xTB")
MOPAC_METHODS = ("PM7", "PM6-D3H4", "PM6")


@dataclass(frozen=True)
class Code:
    """One code of the registry."""

    build: Callable[..., Calculator]
    """Builds the calculator; its signature lists the accepted parameters."""
    module: str
    """Module that can be imported where the code is installed."""
    install: str = ""
    """What to type to install the code."""
    distribution: str = ""
    """Package whose version is recorded with every result; the name of the code if empty."""
    methods: tuple[str, ...] = ()
    """Accepted values of the parameter `method` (of `model` for sevennet), the default first."""
    elements: Callable[[CalculatorSpec], list[str]] | None = None
    """Elements with parameters; None if the code does not tell."""
    needs_weights: bool = False
    """Whether the parameter `model` must give the weights of a potential; D3 can be added to such potentials."""
    molecules_only: bool = False
    """Whether the code refuses periodic structures."""


def _sevennet(**parameters) -> Calculator:
    from qdsurf.calculators.sevennet.calculator import SevenNet

    return SevenNet(**parameters)


def _emt(**parameters) -> Calculator:
    from ase.calculators.emt import EMT

    for key in parameters.keys() - EMT.default_parameters.keys():  # ASE would ignore the key
        raise unknown("parameter", key, EMT.default_parameters, "calculator.parameters")
    return EMT(**parameters)


def _emt_elements(spec: CalculatorSpec) -> list[str]:
    from ase.calculators.emt import parameters

    return sorted(parameters)


def _tblite(method: str = TBLITE_METHODS[0], **parameters) -> Calculator:
    from qdsurf.calculators.tblite import RescuedTBLite

    load_fast_blas()
    return RescuedTBLite(method=method, **parameters)


def _mopac(method: str = MOPAC_METHODS[0], **parameters) -> Calculator:
    from qdsurf.calculators.mopac import Mopac

    return Mopac(method=method, **parameters)


def _pyscf(xc: str = "pbe", basis: str = "def2-svp") -> Calculator:
    from qdsurf.calculators.pyscf import KohnSham

    return KohnSham(xc, basis)


def _cp2k(
    xc: str = "PBE",
    basis: str = "DZVP-MOLOPT-SR-GTH",
    cutoff_Ry: float = 400.0,
    dispersion: bool = True,
    command: str = "cp2k_shell.psmp",
) -> Calculator:
    from qdsurf.calculators.cp2k import Cp2k

    if shutil.which(command.split()[0]) is None:
        raise InputError(f"calculator.parameters.command: {command!r} is no program here; {CODES['cp2k'].install}")
    quoted = shlex.join(shlex.split(command))  # ASE gives it to a shell
    return Cp2k(xc, basis, cutoff_Ry, dispersion, quoted, folder=mkdtemp(prefix="cp2k-"))


def _gpaw(xc: str = "PBE", ecut_eV: float = 400.0, kpoints: int = 1) -> Calculator:
    from qdsurf.calculators.gpaw import Gpaw

    return Gpaw(xc, ecut_eV, kpoints)


CODES: dict[str, Code] = {
    "sevennet": Code(
        _sevennet,
        "qdsurf.calculators.sevennet",
        distribution="qdsurf",
        methods=MODELS,
        elements=lambda spec: trained_elements(str(spec.parameters["model"])),
    ),
    "emt": Code(_emt, "ase.calculators.emt", distribution="ase", elements=_emt_elements),
    # GFN1-xTB and GFN2-xTB have parameters up to radon.
    "tblite": Code(_tblite, "tblite", methods=TBLITE_METHODS, elements=lambda spec: chemical_symbols[1:87]),
    # PM7 has parameters up to bismuth, of the lanthanides for La and Lu only.
    "mopac": Code(
        _mopac,
        "mopactools",
        "`pip install 'qdsurf[mopac]'`",
        distribution="mopactools",
        methods=MOPAC_METHODS,
        elements=lambda spec: [*chemical_symbols[1:58], *chemical_symbols[71:84]],
    ),
    "cp2k": Code(_cp2k, "ase.calculators.cp2k", "install CP2K, such as `apt-get install cp2k`"),
    "gpaw": Code(_gpaw, "gpaw", "`pip install gpaw gpaw-data`, which needs libxc and BLAS"),
    "pyscf": Code(_pyscf, "pyscf", "`pip install 'qdsurf[reference]'`; molecules only", molecules_only=True),
    "mace": Code(potentials.mace, "mace", "`pip install mace-torch`", distribution="mace-torch", needs_weights=True),
    "fairchem": Code(
        potentials.fairchem,
        "fairchem.core",
        "`pip install fairchem-core`",
        distribution="fairchem-core",
        needs_weights=True,
    ),
    "sevennet-torch": Code(
        potentials.sevennet_torch,
        "sevenn",
        "`pip install 'qdsurf[mlip]'`",
        distribution="sevenn",
        needs_weights=True,
    ),
    "orb": Code(
        potentials.orb,
        "orb_models.forcefield.calculator",
        "`pip install orb-models==0.5.5`",
        distribution="orb-models",
        needs_weights=True,
    ),
}


def make_calculator(spec: CalculatorSpec) -> Calculator:
    """Build a calculator.

    Raises
    ------
    InputError
        The name or a parameter is unknown, or the code or its weights are not installed; the message says how to
        install them.
    """
    if spec.name not in CODES:
        return _import_calculator(spec)
    _assert_buildable(spec)
    try:
        calculator = CODES[spec.name].build(**_own_parameters(spec))
    except TypeError as error:
        raise _refused(spec, error) from error
    dispersion = _dispersion(spec)
    return cast(Calculator, SumCalculator([calculator, dispersion])) if dispersion else calculator


def check_calculator(spec: CalculatorSpec) -> None:
    """Refuse what `make_calculator` would refuse, without loading weights that torch needs."""
    if spec.name in CODES and CODES[spec.name].needs_weights:
        _assert_buildable(spec)
        _dispersion(spec)
    else:
        make_calculator(spec)


def _assert_buildable(spec: CalculatorSpec) -> None:
    """Check weights, installation, parameter names and method of a code of the registry."""
    code = CODES[spec.name]
    if code.needs_weights:
        potentials.assert_weights(spec)
    try:
        importlib.import_module(code.module)
    except ImportError as error:
        raise InputError(f"calculator.name: {spec.name} needs {code.module} ({error}); {code.install}") from None
    try:
        signature(code.build).bind(**_own_parameters(spec))
    except TypeError as error:
        raise _refused(spec, error) from None
    method = spec.parameters.get("method", None)
    if method is not None and code.methods and method not in code.methods:
        raise unknown(f"{spec.name} method", str(method), code.methods, "calculator.parameters.method")


def _refused(spec: CalculatorSpec, error: TypeError) -> InputError:
    return InputError(f"calculator.parameters: {spec.name} refuses {dict(spec.parameters)}: {error}")


def _own_parameters(spec: CalculatorSpec) -> dict:
    """Parameters of the code itself, without the dispersion that is added to a potential."""
    added = {D3} if CODES[spec.name].needs_weights else set()
    return {key: value for key, value in spec.parameters.items() if key not in added}


def _dispersion(spec: CalculatorSpec) -> Calculator | None:
    """D3(BJ), 10.1002/jcc.21759, for potentials that were trained on energies without dispersion."""
    if not CODES[spec.name].needs_weights or spec.parameters.get(D3, "none") == "none":
        return None
    return Dispersion(str(spec.parameters[D3]))


def _import_calculator(spec: CalculatorSpec) -> Calculator:
    """Build a calculator whose name is `module:Class`."""
    module_name, _, class_name = spec.name.partition(":")
    if not (module_name and class_name):
        raise unknown("calculator", spec.name, [*CODES, "module:Class"], "calculator.name")
    try:
        return getattr(importlib.import_module(module_name), class_name)(**spec.parameters)
    except (ImportError, AttributeError) as error:
        raise InputError(f"calculator.name: {spec.name!r} cannot be imported: {error}") from None
    except TypeError as error:
        raise _refused(spec, error) from error


def supported_elements(spec: CalculatorSpec) -> list[str] | None:
    """Elements that a calculator has parameters for; None if it does not tell."""
    code = CODES.get(spec.name)
    return code.elements(spec) if code and code.elements else None


def assert_supported(spec: CalculatorSpec, symbols: Iterable[str]) -> None:
    """Refuse elements without parameters.

    Raises
    ------
    UnsupportedElementError
        The message lists the elements that are missing and those that are supported.
    """
    supported = supported_elements(spec)
    missing = sorted(set(symbols) - set(supported or symbols))
    if supported is not None and missing:
        raise UnsupportedElementError(
            f"calculator {spec.label} has no parameters for {', '.join(missing)}; it supports {', '.join(supported)}"
        )


def is_for_molecules_only(spec: CalculatorSpec) -> bool:
    """Whether a calculator refuses periodic structures."""
    return spec.name in CODES and CODES[spec.name].molecules_only


@cache
def load_fast_blas() -> str:
    """Load a fast BLAS of the system before tblite, if there is one; the energies are the same.

    Returns
    -------
    str
        Name of the library, or "bundled" if tblite uses the reference BLAS of its wheel.
    """
    for name in FAST_BLAS:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return name
    return "bundled"


def describe_calculator(spec: CalculatorSpec) -> dict:
    """Everything that identifies a calculation: name, version, parameters, hash of the weights, numerical library."""
    code = CODES.get(spec.name)
    package = code.distribution if code and code.distribution else spec.name.partition(".")[0].partition(":")[0]
    try:
        release = version(package)
    except (PackageNotFoundError, ValueError):  # a module outside any package, or an empty name
        release = "unknown"
    description = {"name": spec.name, "version": release, "parameters": dict(spec.parameters)}
    weights = weights_sha256(str(spec.parameters["model"])) if spec.name == "sevennet" else None
    if code and code.needs_weights:
        weights = potentials.weights_hash(spec)
    description |= {"weights_sha256": weights} if weights else {}
    description |= {"dftd3": version("dftd3")} if spec.parameters.get(D3, "none") != "none" else {}
    return description | ({"blas": load_fast_blas()} if spec.name == "tblite" else {})
