"""Tables of errors made from known errors of bonds, for what fits them."""

import numpy as np
import pandas as pd

from qdsurf.energetics.bond_types import format_counts

METALS, PARTNERS = ("Al", "Zn", "Pb"), ("C", "O", "N", "S")


def table(counts: list[dict[str, int]], errors: list[float], level: str = "one") -> pd.DataFrame:
    names = [f"r{i}" for i in range(len(errors))]
    rows = {"reaction": names, "bonds": [format_counts(c) for c in counts], "molecules": [f"{n} +1" for n in names]}
    return pd.DataFrame(rows | {"error_eV": errors, "level": level, "reference_sigma_eV": 0.0, "on_face": False})


def exchanges(noise: float, seed: int = 0) -> tuple[pd.DataFrame, dict[str, float]]:
    """Exchanges of two bonds between every pair of metals and partners, with known errors of the bonds."""
    rng = np.random.default_rng(seed)
    truth = {f"{m}-{p}": rng.normal(0, 0.5) for m in METALS for p in PARTNERS} | {
        f"{p}-H": rng.normal(0, 0.3) for p in PARTNERS
    }
    counts = [
        {f"{m}-{a}": -1, f"{b}-H": -1, f"{m}-{b}": 1, f"{a}-H": 1}
        for m in METALS
        for a in PARTNERS
        for b in PARTNERS
        if a < b
    ] * 2
    errors = [sum(n * truth[bond] for bond, n in c.items()) + rng.normal(0, noise) for c in counts]
    return table(counts, errors), truth


def on_faces(errors: dict[str, float], sigma: float = 0.0) -> pd.DataFrame:
    """Adducts of Al on sulphur of different faces, each with an error of its own."""
    rows = table([{"Al<-S": 1, f"S@{face}": 1} for face in errors], list(errors.values()), level="another")
    return rows.assign(
        reaction=list(errors), molecules=[f"{f} +1" for f in errors], on_face=True, reference_sigma_eV=sigma
    )


def adducts(seed: int = 0) -> pd.DataFrame:
    """Molecules that say that Al<-S is right to 0.05 eV."""
    errors = np.random.default_rng(seed).normal(0, 0.05, 10).tolist()
    return table([{"Al<-S": 1}] * 10, errors)
