"""Short molecular dynamics that takes a structure out of a poor local minimum before it is relaxed again."""

import numpy as np
from ase import Atoms, units
from ase.calculators.calculator import Calculator
from ase.md.langevin import Langevin
from ase.md.velocitydistribution import MaxwellBoltzmannDistribution

from qdsurf.errors import CalculationError

TIMESTEP_FS = 2.0
FRICTION_PER_FS = 0.02
# Hydrogen atoms of four atomic mass units allow the time step of heavier atoms. Masses do not change the minima.
HEAVY_HYDROGEN_AMU = 4.0


def anneal(atoms: Atoms, calculator: Calculator, temperature_K: float, steps: int, seed: int) -> Atoms:
    """Run Langevin dynamics from a structure.

    Parameters
    ----------
    atoms : Atoms
        Starting structure; fixed atoms stay fixed, and the structure itself is not changed.
    calculator : Calculator
        Any ASE calculator.
    temperature_K : float
        Temperature of the thermostat and of the first velocities, K.
    steps : int
        Steps of 2 fs; each costs one force call.
    seed : int
        Seed of the velocities and of the thermostat.

    Returns
    -------
    Atoms
        Structure at the end, without velocities and calculator.

    Raises
    ------
    CalculationError
        Energy or forces are not finite.
    """
    work = atoms.copy()
    work.calc = calculator
    masses = work.get_masses()
    masses[work.numbers == 1] = HEAVY_HYDROGEN_AMU
    work.set_masses(masses)
    random = np.random.default_rng(seed)
    MaxwellBoltzmannDistribution(work, temperature_K=temperature_K, rng=random)
    dynamics = Langevin(
        work,
        timestep=TIMESTEP_FS * units.fs,
        temperature_K=temperature_K,
        friction=FRICTION_PER_FS / units.fs,
        rng=random,
        fixcm=False,
    )
    dynamics.run(steps)
    if not np.isfinite(work.positions).all():
        raise CalculationError(f"the molecular dynamics of {atoms.symbols} diverged; lower the temperature")
    annealed = atoms.copy()
    annealed.set_positions(work.positions, apply_constraint=False)
    return annealed
