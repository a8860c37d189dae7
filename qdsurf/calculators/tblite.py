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
    # In a large ionic cell the mixer hovers near the solution and then runs away. Stopped at a hundred times the
    # usual residual the energy of CsPbBr3 slabs is 1 to 5 meV off; results that end there are flagged `loose_scf`.
    ("loose", True, ({"accuracy": 100.0, "mixer_damping": 0.2, "max_iterations": 250},)),
    ("loose, damping 0.05", True, ({"accuracy": 100.0, "mixer_damping": 0.05, "max_iterations": 250},)),
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

    A loose rung that helped is kept, with its density, until `forget`.

    Parameters
    ----------
    method : GFN1-xTB, GFN2-xTB or IPEA1-xTB.
    electronic_temperature : K, of every energy that is returned.
    accuracy : multiple of tblite's usual SCF thresholds (1e-6 Eh, 2e-5 e).
    """

    implemented_properties = ("energy", "free_energy", "forces", "stress", "charges")

    def __init__(self, method: str = "GFN2-xTB", electronic_temperature: float = 300.0, accuracy: float = 1.0):
        super().__init__()
        self._settings = {
            "accuracy": accuracy,
            "electronic_temperature": electronic_temperature,
            "mixer_damping": 0.4,
            "max_iterations": 120,
        }
        self._inner = TBLite(method=method, verbosity=0, **self._settings)
        self._first = LADDER[0]
        self.rescues: Counter[str] = Counter()
        self.rungs = len(LADDER)  # a caller who only compares candidates need not climb them all

    @property
    def loose(self) -> bool:
        """Whether the last energy comes from a loose SCF."""
        return self._first[0].startswith("loose")

    def forget(self) -> None:
        """Drop the last density and the rung that was kept, so that the next SCF starts from a fresh guess."""
        self._inner._xtb = self._inner._res = None
        self._first = LADDER[0]
        self.reset()

    def calculate(self, atoms=None, properties=("energy",), system_changes=all_changes) -> None:
        """Run the SCF, rung by rung.

        Raises
        ------
        CalculationError : no rung converges.
        """
        super().calculate(atoms, properties, system_changes)
        cold = self._inner._xtb is None
        for name, forget, attempts in (self._first, *LADDER[1 : self.rungs]):
            if name == "fresh guess" and cold:
                continue
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
            self._first = (name, False, attempts) if name.startswith("loose") else LADDER[0]
            return
        raise CalculationError(
            f"SCF of {self.atoms.symbols} not converged after: {', '.join(rung[0] for rung in LADDER[: self.rungs])}"
        )
