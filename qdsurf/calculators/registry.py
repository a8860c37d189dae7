"""Registry of calculators: how each code is built, what it needs, and which elements it supports.

A configuration is checked against this table before the first calculation, so that a missing code, a wrong parameter or
an unsupported element is found at once.
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
from typing import Any, cast

from ase.calculators.calculator import Calculator
from ase.calculators.mixing import SumCalculator
from ase.data import chemical_symbols

from qdsurf.calculators import potentials
from qdsurf.calculators.dispersion import Dispersion
from qdsurf.calculators.sevennet.weights import MODELS, trained_elements, weights_sha256
from qdsurf.errors import InputError, UnsupportedElementError, unknown
from qdsurf.records.models import CalculatorSpec

D3 = "d3"  # parameter of every potential: the functional whose D3 dispersion is added
# If one of these libraries is loaded before tblite, it replaces the slow reference BLAS in the wheel of tblite.
FAST_BLAS = ("libopenblas.so.0", "libmkl_rt.so.2", "libmkl_rt.so.3", "libopenblas.dylib")
TBLITE_METHODS = ("GFN2-xTB", "GFN1-xTB", "IPEA1-xTB")
MOPAC_METHODS = ("PM7", "PM6-D3H4", "PM6")


@dataclass(frozen=True)
class Code:
    """A code of the registry."""

    build: Callable[..., Calculator]
    """Function that builds the calculator. Its signature lists the accepted parameters."""
    module: str
    """Module that can be imported if the code is installed."""
    install: str = ""
    """Command that installs the code."""
    distribution: str = ""
    """Package whose version is recorded with every result; if empty, the name of the code."""
    methods: tuple[str, ...] = ()
    """Accepted values of the parameter `method` (for sevennet, of `model`); the first one is the default."""
    elements: Callable[[CalculatorSpec], list[str]] | None = None
    """Function that returns the supported elements; None if they are unknown."""
    needs_weights: bool = False
    """Whether the parameter `model` must give the weights of a potential. D3 can be added to such a potential."""
    molecules_only: bool = False
    """Whether the code cannot compute periodic structures."""


def _sevennet(**parameters: Any) -> Calculator:
    """Build a SevenNet calculator."""
    from qdsurf.calculators.sevennet.calculator import SevenNet

    return SevenNet(**parameters)


def _emt(**parameters: Any) -> Calculator:
    """Build the effective-medium calculator of ASE."""
    from ase.calculators.emt import EMT

    for key in parameters.keys() - EMT.default_parameters.keys():  # ASE would ignore the key
        raise unknown("parameter", key, EMT.default_parameters, "calculator.parameters")
    return EMT(**parameters)


def _emt_elements(spec: CalculatorSpec) -> list[str]:
    """Elements with parameters in the effective-medium calculator of ASE."""
    from ase.calculators.emt import parameters

    return sorted(parameters)


def _tblite(method: str = TBLITE_METHODS[0], **parameters: Any) -> Calculator:
    """Build a tblite calculator."""
    from qdsurf.calculators.tblite import RecoveringTBLite

    load_fast_blas()
    return RecoveringTBLite(method=method, **parameters)


def _mopac(method: str = MOPAC_METHODS[0], **parameters: Any) -> Calculator:
    """Build a MOPAC calculator."""
    from qdsurf.calculators.mopac import Mopac

    return Mopac(method=method, **parameters)


def _pyscf(xc: str = "pbe", basis: str = "def2-svp") -> Calculator:
    """Build a PySCF calculator."""
    from qdsurf.calculators.pyscf import KohnSham

    return KohnSham(xc, basis)


def _cp2k(
    xc: str = "PBE",
    basis: str = "DZVP-MOLOPT-SR-GTH",
    cutoff_Ry: float = 400.0,
    dispersion: bool = True,
    command: str = "cp2k_shell.psmp",
) -> Calculator:
    """Build a CP2K calculator with a new folder for its output."""
    from qdsurf.calculators.cp2k import Cp2k

    if shutil.which(command.split()[0]) is None:
        raise InputError(
            f"calculator.parameters.command: {command!r} was not found on this machine; {CODES['cp2k'].install}"
        )
    quoted = shlex.join(shlex.split(command))  # because ASE passes the command to a shell
    return Cp2k(xc, basis, cutoff_Ry, dispersion, quoted, folder=mkdtemp(prefix="cp2k-"))


def _gpaw(xc: str = "PBE", ecut_eV: float = 400.0, kpoints: int = 1) -> Calculator:
    """Build a GPAW calculator."""
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
    # PM7 has parameters up to bismuth. Of the lanthanides it has only La and Lu.
    "mopac": Code(
        _mopac,
        "mopactools",
        "`pip install 'qdsurf[mopac]'`",
        distribution="mopactools",
        methods=MOPAC_METHODS,
        elements=lambda spec: [*chemical_symbols[1:58], *chemical_symbols[71:84]],
    ),
    "cp2k": Code(_cp2k, "ase.calculators.cp2k", "install CP2K, for example with `apt-get install cp2k`"),
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

    Parameters
    ----------
    spec : CalculatorSpec
        Name and parameters.

    Returns
    -------
    Calculator
        The calculator, with D3 dispersion if the parameters of a potential request it.

    Raises
    ------
    InputError
        The name or a parameter is unknown, or the code or its weights are not installed. The message contains the
        command that installs them.
    """
    if spec.name not in CODES:
        return _import_calculator(spec)
    _assert_buildable(spec)
    try:
        calculator = CODES[spec.name].build(**_code_parameters(spec))
    except TypeError as error:
        raise _refused(spec, error) from error
    dispersion = _dispersion(spec)
    return cast(Calculator, SumCalculator([calculator, dispersion])) if dispersion else calculator


def check_calculator(spec: CalculatorSpec) -> None:
    """Assert that `make_calculator` can build a calculator, without loading weights that need torch.

    Parameters
    ----------
    spec : CalculatorSpec
        Name and parameters.

    Raises
    ------
    InputError
        As for `make_calculator`.
    """
    if spec.name in CODES and CODES[spec.name].needs_weights:
        _assert_buildable(spec)
        _dispersion(spec)
    else:
        make_calculator(spec)


def _assert_buildable(spec: CalculatorSpec) -> None:
    """Assert that a code of the registry has weights and is installed, and that its parameters are known."""
    code = CODES[spec.name]
    if code.needs_weights:
        potentials.assert_weights(spec)
    try:
        importlib.import_module(code.module)
    except ImportError as error:
        raise InputError(f"calculator.name: {spec.name} needs {code.module} ({error}); {code.install}") from None
    try:
        signature(code.build).bind(**_code_parameters(spec))
    except TypeError as error:
        raise _refused(spec, error) from None
    method = spec.parameters.get("method", None)
    if method is not None and code.methods and method not in code.methods:
        raise unknown(f"{spec.name} method", str(method), code.methods, "calculator.parameters.method")


def _refused(spec: CalculatorSpec, error: TypeError) -> InputError:
    """Make the error for parameters that a calculator does not accept."""
    return InputError(f"calculator.parameters: {spec.name} does not accept {dict(spec.parameters)}: {error}")


def _code_parameters(spec: CalculatorSpec) -> dict[str, Any]:
    """Parameters of the code, without the D3 dispersion that is added to a potential."""
    is_potential = CODES[spec.name].needs_weights
    return {key: value for key, value in spec.parameters.items() if not (is_potential and key == D3)}


def _dispersion(spec: CalculatorSpec) -> Calculator | None:
    """D3(BJ) dispersion (10.1002/jcc.21759) of a potential that was trained on energies without dispersion."""
    if not CODES[spec.name].needs_weights or spec.parameters.get(D3, "none") == "none":
        return None
    return Dispersion(str(spec.parameters[D3]))


def _import_calculator(spec: CalculatorSpec) -> Calculator:
    """Import and build a calculator whose name is `module:Class`."""
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
    """Return the elements for which a calculator has parameters.

    Parameters
    ----------
    spec : CalculatorSpec
        Name and parameters.

    Returns
    -------
    list of str or None
        Symbols; None if they are unknown.
    """
    code = CODES.get(spec.name)
    return code.elements(spec) if code and code.elements else None


def assert_supported(spec: CalculatorSpec, symbols: Iterable[str]) -> None:
    """Assert that a calculator has parameters for all elements of a structure.

    Parameters
    ----------
    spec : CalculatorSpec
        Name and parameters.
    symbols : iterable of str
        Elements of the structure.

    Raises
    ------
    UnsupportedElementError
        An element is not supported. The message lists the missing and the supported elements.
    """
    supported = supported_elements(spec)
    missing = sorted(set(symbols) - set(supported or symbols))
    if supported is not None and missing:
        raise UnsupportedElementError(
            f"calculator {spec.label} has no parameters for {', '.join(missing)}; it supports {', '.join(supported)}"
        )


def is_for_molecules_only(spec: CalculatorSpec) -> bool:
    """Whether a calculator cannot compute periodic structures."""
    return spec.name in CODES and CODES[spec.name].molecules_only


@cache
def load_fast_blas() -> str:
    """Load a fast BLAS library of the system before tblite, if there is one. The energies are the same.

    Returns
    -------
    str
        Name of the library; "bundled" if tblite uses the reference BLAS of its wheel.
    """
    for name in FAST_BLAS:
        try:
            ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return name
    return "bundled"


def describe_calculator(spec: CalculatorSpec) -> dict[str, Any]:
    """Return everything that identifies a calculation.

    Parameters
    ----------
    spec : CalculatorSpec
        Name and parameters.

    Returns
    -------
    dict
        name, version and parameters; weights_sha256 of a potential, version of dftd3 with D3 dispersion, and blas
        (the numerical library) of tblite.
    """
    code = CODES.get(spec.name)
    package = code.distribution if code and code.distribution else spec.name.partition(".")[0].partition(":")[0]
    try:
        release = version(package)
    except (PackageNotFoundError, ValueError):  # the module does not belong to a package, or the name is empty
        release = "unknown"
    description: dict[str, Any] = {"name": spec.name, "version": release, "parameters": dict(spec.parameters)}
    weights = None
    if spec.name == "sevennet":
        weights = weights_sha256(str(spec.parameters["model"]))
    elif code and code.needs_weights:
        weights = potentials.weights_hash(spec)
    if weights:
        description["weights_sha256"] = weights
    if spec.parameters.get(D3, "none") != "none":
        description["dftd3"] = version("dftd3")
    if spec.name == "tblite":
        description["blas"] = load_fast_blas()
    return description
