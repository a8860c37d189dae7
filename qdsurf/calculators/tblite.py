"""GFN-xTB by tblite, with recovery attempts for an SCF that does not converge."""

from collections import Counter
from typing import Any, NamedTuple

from ase import Atoms
from ase.calculators.calculator import CalculationFailed, Calculator, all_changes
from tblite.ase import TBLite

from qdsurf.errors import CalculationError


class ScfAttempt(NamedTuple):
    """One way to converge the SCF.

    Attributes
    ----------
    name : str
        Name under which a success is counted.
    fresh_guess : bool
        Whether to drop the last density before the SCF.
    settings : tuple of dict
        Settings of tblite that differ from the usual ones, for one SCF after the other.
    """

    name: str
    fresh_guess: bool
    settings: tuple[dict[str, Any], ...]


# Attempts in their order. The last SCF of every attempt is at the stated electronic temperature, so that no result is
# at a raised one.
SCF_ATTEMPTS = (
    ScfAttempt("as it is", False, ({},)),
    ScfAttempt("fresh guess", True, ({},)),
    # In a large ionic cell the mixer comes close to the solution and then diverges. If the SCF stops at a hundred times
    # the usual residual, the energy of CsPbBr3 slabs has an error of 1 to 5 meV. Such results are flagged `loose_scf`.
    ScfAttempt("loose", True, ({"accuracy": 100.0, "mixer_damping": 0.2, "max_iterations": 250},)),
    ScfAttempt("loose, damping 0.05", True, ({"accuracy": 100.0, "mixer_damping": 0.05, "max_iterations": 250},)),
    ScfAttempt(
        "from 3000 K down",
        True,
        (
            {"electronic_temperature": 3000.0, "mixer_damping": 0.1},
            {"electronic_temperature": 1500.0, "mixer_damping": 0.1},
            {"electronic_temperature": 700.0, "mixer_damping": 0.1},
            {"mixer_damping": 0.1, "max_iterations": 300},
        ),
    ),
)


class RecoveringTBLite(Calculator):
    """GFN-xTB by tblite with recovery attempts if the SCF does not converge.

    After a success of a loose attempt, the following calculations start with that attempt and its density, until
    `forget` is called.

    Parameters
    ----------
    method : str, optional
        GFN1-xTB, GFN2-xTB or IPEA1-xTB.
    electronic_temperature : float, optional
        Electronic temperature in K of every energy that is returned.
    accuracy : float, optional
        Multiple of the default SCF thresholds of tblite (1e-6 Eh, 2e-5 e).

    Attributes
    ----------
    rescues : Counter
        Number of calculations that converged, by the name of the attempt.
    rungs : int
        Number of attempts before a calculation fails. A caller that only compares candidates can reduce it.
    """

    implemented_properties = ["energy", "free_energy", "forces", "stress", "charges"]  # noqa: RUF012 (as in ASE)

    def __init__(self, method: str = "GFN2-xTB", electronic_temperature: float = 300.0, accuracy: float = 1.0):
        super().__init__()
        self._settings: dict[str, Any] = {
            "accuracy": accuracy,
            "electronic_temperature": electronic_temperature,
            "mixer_damping": 0.4,
            "max_iterations": 120,
        }
        self._inner = TBLite(method=method, verbosity=0, **self._settings)
        self._first_attempt = SCF_ATTEMPTS[0]
        self.rescues: Counter[str] = Counter()
        self.rungs = len(SCF_ATTEMPTS)

    @property
    def loose(self) -> bool:
        """Whether the last energy comes from an SCF with loose thresholds."""
        return _is_loose(self._first_attempt)

    def forget(self) -> None:
        """Drop the last density and the loose settings, so that the next SCF starts from a fresh guess."""
        self._drop_density()
        self._first_attempt = SCF_ATTEMPTS[0]
        self.reset()

    def _drop_density(self) -> None:
        """Let the next SCF start from a fresh guess."""
        self._inner._xtb = self._inner._res = None

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF, with one attempt after the other until it converges.

        Raises
        ------
        CalculationError
            The SCF does not converge in any attempt; the message lists the attempts.
        """
        super().calculate(atoms, properties, system_changes)
        has_density = self._inner._xtb is not None
        for attempt in (self._first_attempt, *SCF_ATTEMPTS[1 : self.rungs]):
            if attempt.name == "fresh guess" and not has_density:
                continue  # the first attempt was the same
            if attempt.fresh_guess:
                self._drop_density()
            try:
                for changes in attempt.settings:
                    self._inner.set(**(self._settings | changes))
                    self._inner.calculate(self.atoms, list(properties), system_changes)
                self.results = {k: v for k, v in self._inner.results.items() if k in self.implemented_properties}
            except CalculationFailed:
                continue
            finally:
                self._inner.set(**self._settings)
            self.rescues[attempt.name] += 1
            self._first_attempt = attempt._replace(fresh_guess=False) if _is_loose(attempt) else SCF_ATTEMPTS[0]
            return
        names = ", ".join(attempt.name for attempt in SCF_ATTEMPTS[: self.rungs])
        raise CalculationError(f"SCF of {self.atoms.symbols} not converged after: {names}")


def _is_loose(attempt: ScfAttempt) -> bool:
    """Whether an attempt uses loose SCF thresholds."""
    return attempt.name.startswith("loose")
