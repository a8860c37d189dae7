"""Is a saddle half as wrong as its step? Barriers of molecules at the trusted level against corrected ones."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pandas as pd
from ase import Atoms

from qdsurf.energetics.bonds import molecule_bonds
from qdsurf.energetics.corrections import Correction
from qdsurf.reference import ReferenceMolecule, SaddleSet

# Of a verified barrier, beyond the errors of the states that it lies between: `check_saddles` has found no more with
# GFN2-xTB (docs/explanation/how-far-to-trust-a-number.md).
SADDLE_SIGMA_EV = 0.25
SHARE = 0.5  # of the correction of its step that a saddle takes: it has half broken what breaks


def check_saddles(
    records: SaddleSet,
    structures: Mapping[str, tuple[Atoms, Atoms]],
    energies: Mapping[str, tuple[float | None, float | None]],
    correction: Correction,
) -> pd.DataFrame:
    """Barriers of a calculator at stored geometries, as they are and with their share of the step's correction.

    Parameters
    ----------
    structures : initial state and saddle by name, with the energies of the trusted level.
    energies : those of the calculator, eV; None or absent where it has none.

    Returns
    -------
    saddle, barrier_eV, corrected_eV, reference_eV; one row a saddle whose energies are there.
    """
    rows = []
    for saddle in records.saddles:
        initial, top = energies.get(saddle.name, (None, None))
        if initial is None or top is None:
            continue
        mean = correction.predict([step_of(saddle.reactant, saddle.products)])[0][0]
        first, last = (atoms.info["energy_eV"] for atoms in structures[saddle.name])
        rows.append(
            {
                "saddle": saddle.name,
                "barrier_eV": top - initial,
                "corrected_eV": top - initial - SHARE * mean,
                "reference_eV": last - first,
            }
        )
    return pd.DataFrame(rows, columns=["saddle", "barrier_eV", "corrected_eV", "reference_eV"])


def step_of(reactant: str, products: tuple[str, ...]) -> Counter[str]:
    """Bonds and pairs that a reaction of molecules changes, from their SMILES."""
    change = Counter()
    for sign, smiles in ((-1, reactant), *((+1, product) for product in products)):
        for bond, number in molecule_bonds(ReferenceMolecule(name=smiles, smiles=smiles)).items():
            change[bond] += sign * number
    return Counter({bond: number for bond, number in change.items() if number})


def root_mean_squares(table: pd.DataFrame) -> dict[str, float]:
    """Root mean square errors of the barriers in eV, raw and corrected."""
    names = {"raw_rms_eV": "barrier_eV", "corrected_rms_eV": "corrected_eV"}
    return {key: float(np.sqrt(((table[name] - table["reference_eV"]) ** 2).mean())) for key, name in names.items()}
