"""How wrong a calculator is, measured on gas-phase reactions whose energies are trusted."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from qdsurf.records import ReferenceSet

# A wide prior: as wide as the largest error seen with GFN2-xTB (Cd acetate, 1.94 eV), rounded up.
UNMEASURED_SIGMA_EV = 2.0


def measure_errors(reference: ReferenceSet, energies: Mapping[str, float | None]) -> pd.DataFrame:
    """Reaction energies of a calculator against the reference set.

    Parameters
    ----------
    energies : total energy in eV of every molecule that the calculator could relax; None or absent if it could not.

    Returns
    -------
    One row a reaction: reaction, kind, energy_eV, reference_eV, reference_sigma_eV, error_eV (NaN where a molecule
    is missing), level.
    """
    rows = []
    for reaction in reference.reactions:
        parts = [(energies.get(m), n) for m, n in reaction.stoichiometry.items()]
        energy = np.nan if any(e is None for e, _ in parts) else sum(e * n for e, n in parts)
        rows.append(
            {
                "reaction": reaction.name,
                "kind": reaction.kind,
                "energy_eV": energy,
                "reference_eV": reaction.energy_eV,
                "reference_sigma_eV": reaction.sigma_eV,
                "error_eV": energy - reaction.energy_eV,
                "level": reaction.level,
            }
        )
    return pd.DataFrame(rows)


def typical_errors(errors: pd.DataFrame) -> dict[str, float]:
    """Root mean square error in eV for each kind of bond change that steps are made of, `dative` and `exchange`.

    A kind of which the calculator could compute no reaction gets `UNMEASURED_SIGMA_EV`.
    """
    sigma = {}
    for kind in ("dative", "exchange"):
        measured = errors.loc[errors["kind"] == kind, "error_eV"].dropna()
        sigma[kind] = UNMEASURED_SIGMA_EV if measured.empty else float(np.sqrt((measured**2).mean()))
    return sigma
