"""Do corrections that molecules gave hold on surfaces? xTB, corrected xTB and a density functional at one geometry.

Reads the states of a run whose configuration has `refine`, in the folder where it ran; prints a row a step, in eV,
`--json` one object last. The states alone are enough:

    snakemake --cores all --configfile config/examples/transfer.yaml results/energetics/states.csv
    python benchmarks/transfer.py config/examples/transfer.yaml
"""

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd

from qdsurf import library
from qdsurf.config import System, find_facet
from qdsurf.energetics.bonds import assign_roles, format_counts, step_bonds
from qdsurf.energetics.corrections import fit_correction
from qdsurf.library import read_yaml
from qdsurf.plan import Plan
from qdsurf.structure_io import read_json
from qdsurf.templates import Reaction


def compare(plan: Plan, system: System, reaction: Reaction) -> dict | None:
    """Energies of a step at three levels; None where a state was not found or not refined."""
    rooms, gases = plan.states(system), plan.gas_roles(system)
    terms = [(+1, rooms[reaction.name]), (-1, rooms[reaction.reactant])]
    terms += [(+1, plan.molecule_room(system.slab, gases[role].name)) for role in reaction.releases]
    terms += [(-1, plan.molecule_room(system.slab, gases[role].name)) for role in (reaction.takes,) if role]
    if not all(Path(file).exists() for _, room in terms for file in plan.state_files(room)):
        return None
    own = [read_json(f"{room}/state.json")["energy_eV"] for _, room in terms]
    better = [plan.state(room)["energy_eV"] for _, room in terms]
    if None in own or None in better:
        return None
    signs = np.array([sign for sign, _ in terms])
    facet, precursor = find_facet(system.slab)[1], library.precursor(system.precursor)
    roles = assign_roles(plan.material(system.slab), facet, plan.ligand(system.ligand), precursor)
    change = step_bonds(reaction, roles)
    correction = fit_correction(pd.read_csv(plan.errors(system.slab)[0]))
    mean, variance = correction.predict([change])
    noise = 2 * correction.widths.noise**2 + correction.reference_sigma_eV**2
    return {
        "system": str(system),
        "step": reaction.name,
        "bonds": format_counts(change),
        "raw_eV": float(signs @ own),
        "corrected_eV": float(signs @ own - mean[0]),
        "sigma_eV": float(np.sqrt(variance[0, 0] + noise)),
        "refined_eV": float(signs @ better),
        "unmeasured": correction.unmeasured(change),
    }


def main() -> None:
    """Print every step of the run that has both energies."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    plan = Plan.check(read_yaml(arguments.config), str(arguments.config))
    rows = [
        row
        for system in plan.config.systems
        for reaction in plan.reactions(system).values()
        if (row := compare(plan, system, reaction))
    ]
    print(f"{'system':<28} {'step':<30} {'raw':>6} {'corrected':>15} {plan.config.refine.label:>8}  eV")
    for row in rows:
        words = f"{row['corrected_eV']:+6.2f} +- {row['sigma_eV']:.2f}"
        print(
            f"{row['system']:<28} {row['step']:<30} {row['raw_eV']:+6.2f} {words:>15} {row['refined_eV']:+8.2f}  "
            f"{'no data: ' + ', '.join(row['unmeasured']) if row['unmeasured'] else ''}"
        )
    errors = {
        name: float(np.mean([abs(row[f"{name}_eV"] - row["refined_eV"]) for row in rows]))
        for name in ("raw", "corrected")
        if rows
    }
    print("mean absolute difference: " + ", ".join(f"{name} {value:.2f} eV" for name, value in errors.items()))
    if arguments.json:
        print(json.dumps({"rows": rows, "mean_absolute_difference_eV": errors}))


if __name__ == "__main__":
    main()
