"""tblite with a rescue ladder: what to try, in which order, when the charges do not converge."""

from collections import Counter

from ase.calculators.calculator import CalculationFailed, Calculator, all_changes
from tblite.ase import TBLite

from qdsurf.errors import CalculationError

# Each rung: name, whether the last density is forgotten, settings of the attempts in order. The last attempt of
# every rung is at the stated electronic temperature, so no result is ever at a raised one.
LADDER = (
    ("as it is", False, ({},)),
    ("fresh guess", True, ({},)),
    ("damping 0.1", True, ({"mixer_damping": 0.1, "max_iterations": 300},)),
    (
        "from 3000 K down",
        True,
        (
            *({"electronic_temperature": T, "mixer_damping": 0.1} for T in (3000.0, 1500.0, 700.0)),
            {"mixer_damping": 0.1, "max_iterations": 300},
        ),
    ),
)


class RescuedTBLite(Calculator):
    """GFN-xTB by tblite; a failed SCF climbs the ladder, and `rescues` counts which rung helped.

    Parameters
    ----------
    method : GFN1-xTB, GFN2-xTB or IPEA1-xTB.
    electronic_temperature : K, of every energy that is returned.
    """

    implemented_properties = ("energy", "free_energy", "forces", "stress", "charges")

    def __init__(self, method: str = "GFN2-xTB", electronic_temperature: float = 300.0, accuracy: float = 1.0):
        super().__init__()
        self._settings = {
            "electronic_temperature": electronic_temperature,
            "mixer_damping": 0.4,
            "max_iterations": 120,
        }
        self._inner = TBLite(method=method, accuracy=accuracy, verbosity=0, **self._settings)
        self.rescues: Counter[str] = Counter()
        self.rungs = len(LADDER)  # a caller who only compares candidates climbs no higher than the first

    def forget(self) -> None:
        """Drop the last density, so that the next SCF starts from a fresh guess."""
        self._inner._xtb = self._inner._res = None
        self.reset()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF, rung by rung.

        Raises
        ------
        CalculationError : no rung converges.
        """
        super().calculate(atoms, properties, system_changes)
        for name, forget, attempts in LADDER[: self.rungs]:
            if forget:
                self._inner._xtb = self._inner._res = None
            try:
                for changes in attempts:
                    self._inner.set(**(self._settings | changes))
                    self._inner.calculate(self.atoms, list(properties), system_changes)
                self.results = {k: v for k, v in self._inner.results.items() if k in self.implemented_properties}
            except CalculationFailed:
                continue
            finally:
                self._inner.set(**self._settings)
            self.rescues[name] += 1
            return
        raise CalculationError(
            f"SCF of {self.atoms.symbols} not converged after: {', '.join(rung[0] for rung in LADDER[: self.rungs])}"
        )
