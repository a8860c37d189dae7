"""From relaxed candidates to the one state that a room hands on, or to the reason why there is none."""

from collections.abc import Sequence

import numpy as np
from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import content_hash
from qdsurf.elementary_steps.state_check import check_state, folded_groups
from qdsurf.surfaces.site_density import count_sites

# Flags that say a structure is no longer what it was meant to be.
FATAL = ("not_converged", "dissociated", "desorbed", "intercalated", "ligand_lost", "substrate_changed")
# Potentials without angles: every methyl group folds, and what they say of molecules is for tests of the flow alone.
SHAPELESS = ("emt",)


def select_state(
    candidates: Sequence[Atoms], relaxed: Sequence[Atoms], results: Sequence[dict], reason: str = ""
) -> tuple[list[Atoms], dict]:
    """Take the lowest of the candidates that relaxed to what they were meant to be.

    Parameters
    ----------
    candidates, relaxed, results : of one adsorption problem, in the same order; may be empty.
    reason : why there are no candidates, if there are none.

    Returns
    -------
    selected : the structure, or an empty list.
    state : plain data: `status` ("ok" or why not), which candidate and its hash, energy_eV, converged, flags,
        composition, charge, and what every candidate did.
    """
    fates = []
    for candidate, final, result in zip(candidates, relaxed, results, strict=True):
        reasons = [] if result["converged"] else [result["reason"]]
        reasons += [flag for flag in result["flags"] if flag in FATAL[1:]]
        if result["converged"]:
            reasons += filter(None, [check_state(candidate, final)])
            reasons += [] if result["calculator"]["name"] in SHAPELESS else folded_groups(candidate, final)
        fates.append("; ".join(reasons) or "ok")
    accepted = [i for i, fate in enumerate(fates) if fate == "ok"]
    state = {"candidates": [_summary(r, fate) for r, fate in zip(results, fates, strict=True)]}
    if not accepted:
        tried = [fate for fate in fates if not fate.startswith("not relaxed")]
        reason = " | ".join(dict.fromkeys(tried or fates)) or reason or "no candidate"
        flags = sorted({flag for result in results for flag in result["flags"]})
        return [], state | {"status": reason, "energy_eV": None, "converged": False, "flags": flags}
    best = min(accepted, key=lambda i: results[i]["energy_eV"])
    final = relaxed[best]
    annotation.drop_notes(final, "energy_cost")
    state |= {
        "status": "ok",
        "candidate": best,
        "structure_hash": content_hash(final),
        "energy_eV": results[best]["energy_eV"],
        "converged": results[best]["converged"],
        "flags": results[best]["flags"],
        "calculator": results[best]["calculator"],
        "composition": {s: int(np.sum(final.symbols == s)) for s in sorted(set(final.symbols))},
        "mass_amu": float(final.get_masses().sum()),
    }
    state["charge"] = float(annotation.formal_charges(final).sum())
    if final.pbc.any():
        state["density_per_nm2"] = count_sites(final)
    return [final], state


def refine_state(state: dict, refined: dict) -> dict:
    """Give a state the energy of a better level at its geometry, from the result of a single point."""
    if state["energy_eV"] is None:
        return state
    failed = refined["energy_eV"] is None
    return state | {
        "status": f"refinement {refined['reason']}" if failed else state["status"],
        "energy_eV": refined["energy_eV"],
        "converged": state["converged"] and not failed,
        "calculator": refined["calculator"] | {"geometry": state["calculator"]},
    }


def select_each(
    candidates: Sequence[Atoms], relaxed: Sequence[Atoms], results: Sequence[dict], refined: Sequence[dict] = ()
) -> dict[str, float | None]:
    """Energies in eV of different molecules by `info["name"]`; None for one that is not what it was meant to be."""
    states = {}
    for candidate, final, result in zip(candidates, relaxed, results, strict=True):
        states[annotation.noted(candidate, "name")] = select_state([candidate], [final], [result])[1]
    better = zip(states.items(), refined, strict=True) if refined else ()
    states |= {name: refine_state(state, result) for (name, state), result in better}
    return {name: state["energy_eV"] for name, state in states.items()}


def _summary(result: dict, fate: str) -> dict:
    return {key: result[key] for key in ("energy_eV", "max_force_eV_per_A", "force_calls", "wall_s")} | {"fate": fate}
