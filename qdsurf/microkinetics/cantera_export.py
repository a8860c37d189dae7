"""Export of a network as a mechanism for Cantera, exact at one temperature.

Cantera computes reverse rates from the thermochemistry of the species. The energies of the network belong to states,
which may describe several species. The export therefore solves for species energies that reproduce the reaction free
energy of every step.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import yaml
from ase.formula import Formula

from qdsurf.errors import InputError
from qdsurf.microkinetics.network.model import Model, prepare
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import families_of
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.units import AVOGADRO, BOLTZMANN_EV_PER_K, EV_J, STANDARD_PRESSURE_PA

DIFFERENCE_K = 0.5  # half of the interval of the derivatives by temperature
KMOL = 1e3 * AVOGADRO
SOLID_DENSITY_KG_PER_M3 = 1000.0  # Cantera requires one; it has no effect


def export_mechanism(system: str, tables: Tables, temperature_K: float | None = None) -> str:
    """Write the mechanism of one system for Cantera, or a comment with the reason why there is none.

    Parameters
    ----------
    system : str
        Name of the system.
    tables : Tables
        Tables of the energetics or of a mechanism.
    temperature_K : float or None
        Temperature, K. None: that of the states table.

    Returns
    -------
    str
        YAML text.

    Raises
    ------
    InputError, BalanceError
        A table is incomplete or does not balance.
    """
    steps = tables.steps[tables.steps["system"] == system]
    if not (steps["status"] == "ok").any():
        return f"# {system}: no mechanism, because no step has a number\n"
    model = prepare(system, tables)
    try:
        return cantera_mechanism(model, model.landscape(temperature_K).temperature_K)
    except InputError as error:
        return f"# no mechanism: {error}\n"


def cantera_mechanism(model: Model, temperature_K: float) -> str:
    """Write the network as Cantera YAML.

    Free energies and rate constants are exact at the given temperature. Entropies and activation energies are their
    slopes at this temperature, so that the mechanism is correct to first order near it. Species are named name_family,
    gases name_g and solids name_b, so that Cantera does not read any name as the third body M.

    Parameters
    ----------
    model : Model
        Network and energies of the system.
    temperature_K : float
        Temperature, K.

    Returns
    -------
    str
        YAML text with the phase gas, one surface for each family, and one phase for each solid.

    Raises
    ------
    InputError
        The network has features that Cantera does not support: species on sites of several families, or lateral
        interactions. Or the tables have no formulas, or two species have the same name in Cantera.
    """
    network = model.network
    _assert_supported(network)
    gibbs, entropy = _species_thermochemistry(model, temperature_K)
    elements = _compositions(model)
    names = _cantera_names(network)
    phases = _phase_of_each_species(network)
    species: dict[str, list[dict[str, Any]]] = {phase: [] for phase in ("gas", "solid", *network.families)}
    for i, name in enumerate(names):
        entry: dict[str, Any] = {
            "name": name,
            "composition": {element: round(float(count[i]), 9) for element, count in elements.items() if count[i]},
            "thermo": {
                "model": "constant-cp",
                "T0": temperature_K,
                "h0": float((gibbs[i] + temperature_K * entropy[i]) * EV_J * KMOL),
                "s0": float(entropy[i] * EV_J * KMOL),
                "cp0": 0.0,
                "reference-pressure": STANDARD_PRESSURE_PA,
            },
        }
        if phases[i] in network.families:
            entry["sites"] = int(network.sites[i].sum())
        species[phases[i]].append(entry)
    return yaml.safe_dump(_document(model, temperature_K, names, species, list(elements)), sort_keys=False, width=120)


def _assert_supported(network: Network) -> None:
    """Raise an error if Cantera does not support a feature of the network."""
    if np.any(network.interaction_eV_nm2):
        raise InputError(f"{network.system}: lateral interactions are not part of the Cantera export.")
    for name in network.species:
        if len(set(families_of(name))) > 1:
            raise InputError(
                f"{network.system}: {name!r} occupies sites of two families; Cantera does not support such species."
            )


def _phase_of_each_species(network: Network) -> list[str]:
    """Return the phase of each species, gas and solid: the name of its family, gas or solid."""
    families = [network.families[f] for f in network.family_of]
    return [*families, *["gas"] * len(network.gases), *["solid"] * len(network.solids)]


def _cantera_names(network: Network) -> list[str]:
    """Return names without special characters, in the order species, gases, solids."""
    names = [name.split("@")[0] + "_" + "_".join(families_of(name)) for name in network.species]
    names += [f"{name}_g" for name in network.gases] + [f"{name}_b" for name in network.solids]
    names = [re.sub(r"\W", "_", name) for name in names]
    names = [name if name[0].isalpha() else f"x{name}" for name in names]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{network.system}: two species would both be named {name!r} in Cantera; rename one.")
    return names


def _solve_for_species(network: Network, differences: np.ndarray, known: Mapping[int, float]) -> np.ndarray:
    """Return values of all species, gases and solids whose differences over the steps are given.

    Parameters
    ----------
    network : Network
        Network of the system.
    differences : numpy.ndarray
        Products minus reactants of each step, shape (S,).
    known : mapping of int to float
        Values that are given, by number of the species. The value of the first initial species of each family is zero.

    Returns
    -------
    numpy.ndarray
        In the order species, gases, solids; the least-squares solution of smallest norm.
    """
    stoichiometry = network.stoichiometry.T.astype(float)
    values = np.zeros(stoichiometry.shape[1])
    references = [
        int(np.argmax((network.family_of == f) & (network.initial > 0))) for f in range(len(network.families))
    ]
    fixed = dict.fromkeys(references, 0.0) | dict(known)
    values[list(fixed)] = list(fixed.values())
    free = [i for i in range(len(values)) if i not in fixed]
    if free:
        values[free] = np.linalg.lstsq(stoichiometry[:, free], differences - stoichiometry @ values, rcond=None)[0]
    return values


def _difference_temperatures(model: Model, temperature_K: float) -> tuple[float, float]:
    """Return the two temperatures of the derivatives by temperature, K, within the range of the tables."""
    low, high = np.clip([temperature_K - DIFFERENCE_K, temperature_K + DIFFERENCE_K], *model.temperature_range_K)
    return low, high


def _species_thermochemistry(model: Model, temperature_K: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the free energy in eV and the entropy in eV/K of all species, gases and solids."""

    def gibbs_at(temperature: float) -> np.ndarray:
        return _solve_for_species(model.network, model.landscape(temperature).reaction_gibbs_eV, {})

    low, high = _difference_temperatures(model, temperature_K)
    gibbs = gibbs_at(temperature_K)
    if not high > low:
        return gibbs, np.zeros_like(gibbs)
    return gibbs, -(gibbs_at(high) - gibbs_at(low)) / (high - low)


def _compositions(model: Model) -> dict[str, np.ndarray]:
    """Return the number of atoms of each element in all species, gases and solids, by element, never negative.

    The formulas of gases and solids are known. Those of surface species follow from the steps.
    """
    network, states = model.network, model.tables.states
    rows = states[states["system"] == network.system].set_index("state")
    if "formula" not in rows:
        raise InputError(f"{network.system}: the states table has no column formula, which Cantera needs.")
    species = len(network.species)
    with_formula = [*network.gases, *(f"{name}(b)" for name in network.solids)]
    counts = [Formula(str(rows.loc[name, "formula"])).count() for name in with_formula]
    compositions = {}
    for element in sorted({element for count in counts for element in count}):
        known = {species + i: float(count.get(element, 0)) for i, count in enumerate(counts)}
        atoms = _solve_for_species(network, np.zeros(len(network.steps)), known)
        # A vacancy has fewer atoms than the reference. All sites of its family then get as many more.
        for f in range(len(network.families)):
            members = np.flatnonzero(network.family_of == f)
            atoms_per_site = atoms[members] / network.sites[members, f]
            atoms[members] += network.sites[members, f] * max(0.0, -atoms_per_site.min())
        compositions[element] = np.where(np.abs(atoms) < 1e-9, 0.0, atoms)
    return compositions


def _document(
    model: Model, temperature_K: float, names: list[str], species: dict[str, list[dict[str, Any]]], elements: list[str]
) -> dict[str, Any]:
    """Return the whole YAML document: phases, species and reactions."""
    network = model.network
    solid_phases = [f"solid_{entry['name']}" for entry in species["solid"]]
    surface_phases = [f"surface_{family}" for family in network.families]
    phases: list[dict[str, Any]] = [
        {"name": "gas", "thermo": "ideal-gas", "elements": elements, "species": _names_of(species["gas"])}
    ]
    for phase, entry in zip(solid_phases, species["solid"], strict=True):
        entry["equation-of-state"] = {"model": "constant-volume", "density": SOLID_DENSITY_KG_PER_M3}
        phases.append(
            {"name": phase, "thermo": "fixed-stoichiometry", "elements": elements, "species": [entry["name"]]}
        )
    for i, family in enumerate(network.families):
        other_surfaces = [phase for phase in surface_phases if phase != surface_phases[i]]
        phases.append(
            {
                "name": surface_phases[i],
                "thermo": "ideal-surface",
                "elements": elements,
                "species": _names_of(species[family]),
                "site-density": float(network.densities_per_m2[i] / KMOL),
                "adjacent-phases": ["gas", *solid_phases, *other_surfaces],
                "kinetics": "surface",
                "reactions": [f"reactions_{family}"],
            }
        )
    reactions = _reactions(model, temperature_K, names)
    document: dict[str, Any] = {
        "description": f"{network.system}, made by qdsurf; exact at {temperature_K} K, first order around it.",
        "units": {"length": "m", "quantity": "kmol", "energy": "J", "activation-energy": "J/kmol", "time": "s"},
        "phases": phases,
        "species": [entry for entries in species.values() for entry in entries],
    }
    for i, family in enumerate(network.families):
        document[f"reactions_{family}"] = [
            reaction for s, reaction in enumerate(reactions) if network.reactant_family[s] == i
        ]
    return document


def _names_of(entries: list[dict[str, Any]]) -> list[str]:
    """Return the names of species entries."""
    return [entry["name"] for entry in entries]


def _reactions(model: Model, temperature_K: float, names: list[str]) -> list[dict[str, Any]]:
    """Return the reversible steps, with rate constants in the units of Cantera's activity concentrations.

    The activation energy is the slope of the logarithm of the rate constant at the temperature.
    """
    network = model.network
    low, high = _difference_temperatures(model, temperature_K)
    log_constants = _log_forward_constants(model, temperature_K)
    slope = np.zeros_like(log_constants)
    if high > low:
        slope = (_log_forward_constants(model, high) - _log_forward_constants(model, low)) / (high - low)
    activation_eV = BOLTZMANN_EV_PER_K * temperature_K**2 * slope
    prefactor = np.exp(log_constants + activation_eV / (BOLTZMANN_EV_PER_K * temperature_K))
    left = np.vstack([network.left, network.gas_left, np.clip(-network.solid_change, 0, None)])
    right = np.vstack([network.right, network.gas_right, np.clip(network.solid_change, 0, None)])
    return [
        {
            "equation": f"{_write_side(names, left[:, s])} <=> {_write_side(names, right[:, s])}",
            "rate-constant": {"A": float(prefactor[s]), "b": 0, "Ea": float(activation_eV[s] * EV_J * KMOL)},
            "note": f"{step} ({network.classes[s]})",
        }
        for s, step in enumerate(network.steps)
    ]


def _log_forward_constants(model: Model, temperature_K: float) -> np.ndarray:
    """Return ln k of r = k prod c, with gases in kmol/m^3 and surface species in kmol/m^2, shape (S,)."""
    network = model.network
    density = network.densities_per_m2 / KMOL
    sites_of_first_family = network.sites[np.arange(len(network.species)), network.family_of]
    log_per_coverage = np.log(density[network.family_of] / sites_of_first_family)
    log_standard = np.log(STANDARD_PRESSURE_PA / (BOLTZMANN_EV_PER_K * EV_J * KMOL * temperature_K))
    log_units = log_per_coverage @ network.left + log_standard * network.gas_left.sum(axis=0)
    log_forward = np.log(model.rates(temperature_K).forward_per_s)
    return log_forward + np.log(density[network.reactant_family]) - log_units


def _write_side(names: list[str], counts: np.ndarray) -> str:
    """Write one side of a reaction equation."""
    return " + ".join(
        f"{count} {name}" if count > 1 else name for name, count in zip(names, counts, strict=True) if count
    )
