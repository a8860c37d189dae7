"""How good is the reference itself? Against measured enthalpies, and against a larger basis.

Enthalpies at 298.15 K are the reference's energies plus ideal-gas terms with the modes of GFN2-xTB. `--basis` repeats
the single points of the molecules named with that basis (hours for large ones; needs the extra `reference`) and prints
how the reactions between them move. `--json` prints one object last.

    OMP_NUM_THREADS=1 python benchmarks/reference.py [--basis def2-qzvpp AlMe3 H2O AlMe2OH CH4] [--json]
"""

import argparse
import json

from ase.thermochemistry import IdealGasThermo

from qdsurf.energetics.thermochemistry import internal_modes, is_linear
from qdsurf.qualification.reference_energies import single_point
from qdsurf.records.models import CalculatorSpec
from qdsurf.records.reference_set import Reference, ReferenceReaction, read_reference
from qdsurf.records.settings import ThermochemistrySpec
from qdsurf.relaxation.relax import relax_batch
from qdsurf.relaxation.vibrations import normal_modes
from qdsurf.units import KJ_PER_MOL_EV

TEMPERATURE_K = 298.15  # of the measured enthalpies
GFN2 = CalculatorSpec(name="tblite", parameters={"method": "GFN2-xTB"})


def thermal_enthalpy(name: str, reference: Reference) -> float:
    """H(298.15 K) - E of an ideal gas in eV."""
    atoms = relax_batch([reference.geometries[name]], GFN2, 0.01, 500, label=name)[0].atoms
    modes = internal_modes(normal_modes(atoms, GFN2), atoms, ThermochemistrySpec().lowest_mode_cm)
    thermo = IdealGasThermo(modes, "linear" if is_linear(atoms) else "nonlinear", atoms=atoms, symmetrynumber=1, spin=0)
    return thermo.get_enthalpy(TEMPERATURE_K, verbose=False)


def against_experiment(reference: Reference) -> list[dict]:
    """Enthalpies of the measured reactions in kJ/mol."""
    names = {name for reaction in reference.experiments for name in reaction.stoichiometry}
    thermal = {name: thermal_enthalpy(name, reference) for name in sorted(names)}
    computed = [
        sum(number * (reference.energies[name] + thermal[name]) for name, number in reaction.stoichiometry.items())
        for reaction in reference.experiments
    ]
    return [
        {
            "reaction": reaction.name,
            "computed_kJ_per_mol": enthalpy / KJ_PER_MOL_EV,
            "measured_kJ_per_mol": reaction.enthalpy_kJ_per_mol,
            "sigma_kJ_per_mol": reaction.sigma_kJ_per_mol,
        }
        for reaction, enthalpy in zip(reference.experiments, computed, strict=True)
    ]


def against_basis(reference: Reference, basis: str, names: list[str]) -> list[dict]:
    """How the energies in eV of the reactions between some molecules move with the basis."""
    energies = {name: single_point(reference.geometries[name], reference.level.functional, basis) for name in names}

    def energy(reaction: ReferenceReaction) -> float:
        return sum(number * energies[name] for name, number in reaction.stoichiometry.items())

    return [
        {"reaction": r.name, "reference_eV": reference.reaction_energy(r), f"{basis}_eV": energy(r)}
        for r in (*reference.reactions, *reference.experiments)
        if set(r.stoichiometry) <= set(names)
    ]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--basis", nargs="+", metavar=("BASIS", "MOLECULE"), default=[])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    reference = read_reference()
    data = {"level": reference.level.label, "experiments": against_experiment(reference)}
    print(f"{'reaction':<24} {'computed':>8} {'measured':>8}  kJ/mol")
    for row in data["experiments"]:
        measured = f"{row['measured_kJ_per_mol']:8.1f} +- {row['sigma_kJ_per_mol']:.1f}"
        print(f"{row['reaction']:<24} {row['computed_kJ_per_mol']:8.1f} {measured}")
    if arguments.basis:
        basis, *names = arguments.basis
        data["basis"] = against_basis(reference, basis, names)
        print(f"\n{'reaction':<24} {reference.level.basis:>10} {basis:>10}  eV")
        for row in data["basis"]:
            print(f"{row['reaction']:<24} {row['reference_eV']:10.3f} {row[f'{basis}_eV']:10.3f}")
    if arguments.json:
        print(json.dumps(data))


if __name__ == "__main__":
    main()
