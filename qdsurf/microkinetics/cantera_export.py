"""A mechanism for Cantera: the network at one temperature, with species whose thermochemistry reproduces every step."""

import re

import numpy as np
import yaml
from ase.formula import Formula

from qdsurf.errors import InputError
from qdsurf.microkinetics.network.model import Model, prepare
from qdsurf.microkinetics.network.reaction_network import Network
from qdsurf.microkinetics.network.step_notation import families_of
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.units import AVOGADRO, BOLTZMANN_EV_PER_K, EV_J, STANDARD_PRESSURE_PA

DIFFERENCE_K = 0.5  # half the interval of the derivatives by temperature
KMOL = 1e3 * AVOGADRO
SOLID_DENSITY = 1000.0  # kg/m^3; Cantera wants one, nothing depends on it


def export_mechanism(system: str, tables: Tables, temperature_K: float | None = None) -> str:
    """The mechanism of one system for Cantera, or a comment that says why there is none."""
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

    Free energies and rate constants are exact at the given temperature; entropies and activation energies are their
    slopes there, so that the mechanism holds near it. Species are named name_family, gases name_g and solids name_b:
    none can be taken for a third body M.

    Returns
    -------
    str
        Phases gas, one surface for each family, and one for each solid.

    Raises
    ------
    InputError
        The network has what the file cannot hold: species on sites of several families, or lateral interactions.
    """
    network = model.network
    _refuse(network)
    gibbs, entropy = _species_levels(model, temperature_K)
    elements = _compositions(model)
    names = _mangle(network)
    kinds = _kinds(network)
    species: dict[str, list] = {kind: [] for kind in ("gas", "solid", *network.families)}
    for i, name in enumerate(names):
        entry = {
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
        if kinds[i] in network.families:
            entry["sites"] = int(network.sites[i].sum())
        species[kinds[i]].append(entry)
    return yaml.safe_dump(_document(model, temperature_K, names, species, list(elements)), sort_keys=False, width=120)


def _refuse(network: Network) -> None:
    if np.any(network.interaction_eV_nm2):
        raise InputError(f"{network.system}: lateral interactions are not part of the Cantera export.")
    for name in network.species:
        if len(set(families_of(name))) > 1:
            raise InputError(
                f"{network.system}: {name!r} stands on sites of two families; Cantera has no such species."
            )


def _kinds(network: Network) -> list[str]:
    """Phase of each species: its family, gas or solid."""
    families = [network.families[f] for f in network.family_of]
    return [*families, *["gas"] * len(network.gases), *["solid"] * len(network.solids)]


def _mangle(network: Network) -> list[str]:
    """Names without special characters, in the order species, gases, solids."""
    raw = [name.split("@")[0] + "_" + "_".join(families_of(name)) for name in network.species]
    raw += [f"{name}_g" for name in network.gases] + [f"{name}_b" for name in network.solids]
    clean = [re.sub(r"\W", "_", name) for name in raw]
    clean = [name if name[0].isalpha() else f"x{name}" for name in clean]
    for name in clean:
        if clean.count(name) > 1:
            raise InputError(f"{network.system}: two species would both be named {name!r} in Cantera; rename one.")
    return clean


def _stoichiometry(network: Network) -> np.ndarray:
    """Net stoichiometry of species, gases and solids, shape (all, S)."""
    gas = network.gas_right - network.gas_left
    return np.vstack([network.right - network.left, gas, network.solid_change])


def _share_out(network: Network, differences: np.ndarray, known: dict[int, float]) -> np.ndarray:
    """Values of all species whose differences over the steps are given; the initial species of each family are zero."""
    stoichiometry = _stoichiometry(network).T.astype(float)
    values = np.zeros(stoichiometry.shape[1])
    first = [int(np.argmax((network.family_of == f) & (network.initial > 0))) for f in range(len(network.families))]
    fixed = dict.fromkeys(first, 0.0) | known
    values[list(fixed)] = list(fixed.values())
    free = [i for i in range(len(values)) if i not in fixed]
    if free:
        values[free] = np.linalg.lstsq(stoichiometry[:, free], differences - stoichiometry @ values, rcond=None)[0]
    return values


def _species_levels(model: Model, temperature_K: float) -> tuple[np.ndarray, np.ndarray]:
    """Free energy in eV and entropy in eV/K of all species."""
    low, high = model.temperature_range_K
    ends = np.clip([temperature_K - DIFFERENCE_K, temperature_K + DIFFERENCE_K], low, high)
    at, *around = (_share_out(model.network, model.landscape(t).reaction_gibbs_eV, {}) for t in (temperature_K, *ends))
    span = ends[1] - ends[0]
    return at, -(around[1] - around[0]) / span if span > 0 else np.zeros_like(at)


def _compositions(model: Model) -> dict[str, np.ndarray]:
    """Numbers of atoms of every species by element, never negative; from the formulas of gases, solids and steps."""
    network, states = model.network, model.tables.states
    rows = states[states["system"] == network.system].set_index("state")
    if "formula" not in rows:
        raise InputError(f"{network.system}: the states table has no column formula, which Cantera needs.")
    n, g = len(network.species), len(network.gases)
    outside = [*network.gases, *(f"{name}(b)" for name in network.solids)]
    counted = [Formula(str(rows.loc[name, "formula"])).count() for name in outside]
    elements = sorted({element for count in counted for element in count})
    compositions = {}
    for element in elements:
        known = {n + i: float(count.get(element, 0)) for i, count in enumerate(counted)}
        values = _share_out(network, np.zeros(len(network.steps)), known)
        for f in range(len(network.families)):  # a vacancy lacks atoms: all sites of the family get as many more
            members = network.family_of == f
            per_site = values[:n][members] / network.sites[members, f]
            values[:n][members] += network.sites[members, f] * max(0.0, -per_site.min())
        compositions[element] = np.where(np.abs(values) < 1e-9, 0.0, values)
    assert g + n + len(network.solids) == _stoichiometry(network).shape[0]
    return compositions


def _document(model: Model, temperature_K: float, names: list[str], species: dict, elements: list[str]) -> dict:
    network = model.network
    solids = [f"solid_{entry['name']}" for entry in species["solid"]]
    phases = [{"name": "gas", "thermo": "ideal-gas", "elements": elements, "species": _members(species["gas"])}]
    for solid, entry in zip(solids, species["solid"], strict=True):
        entry["equation-of-state"] = {"model": "constant-volume", "density": SOLID_DENSITY}
        phases.append(
            {"name": solid, "thermo": "fixed-stoichiometry", "elements": elements, "species": [entry["name"]]}
        )
    surfaces = [f"surface_{family}" for family in network.families]
    for i, family in enumerate(network.families):
        phases.append(
            {
                "name": surfaces[i],
                "thermo": "ideal-surface",
                "elements": elements,
                "species": _members(species[family]),
                "site-density": float(network.densities_per_m2[i] / KMOL),
                "adjacent-phases": ["gas", *solids, *(name for name in surfaces if name != surfaces[i])],
                "kinetics": "surface",
                "reactions": [f"reactions_{family}"],
            }
        )
    reactions = _reactions(model, temperature_K, names)
    return {
        "description": f"{network.system}, made by qdsurf; exact at {temperature_K} K, first order around it.",
        "units": {"length": "m", "quantity": "kmol", "energy": "J", "activation-energy": "J/kmol", "time": "s"},
        "phases": phases,
        "species": [entry for group in species.values() for entry in group],
        **{
            f"reactions_{family}": [r for s, r in enumerate(reactions) if network.reactant_family[s] == i]
            for i, family in enumerate(network.families)
        },
    }


def _members(entries: list[dict]) -> list[str]:
    return [entry["name"] for entry in entries]


def _reactions(model: Model, temperature_K: float, names: list[str]) -> list[dict]:
    """Reversible steps with k in the units of Cantera's activity concentrations, and its slope as activation energy."""
    network = model.network
    low, high = model.temperature_range_K
    ends = np.clip([temperature_K - DIFFERENCE_K, temperature_K + DIFFERENCE_K], low, high)
    at, *around = (_log_constants(model, t) for t in (temperature_K, *ends))
    span = ends[1] - ends[0]
    slope = (around[1] - around[0]) / span if span > 0 else np.zeros_like(at)
    activation = BOLTZMANN_EV_PER_K * temperature_K**2 * slope
    prefactor = np.exp(at + activation / (BOLTZMANN_EV_PER_K * temperature_K))
    left = np.vstack([network.left, network.gas_left, np.clip(-network.solid_change, 0, None)])
    right = np.vstack([network.right, network.gas_right, np.clip(network.solid_change, 0, None)])
    return [
        {
            "equation": f"{_side(names, left[:, s])} <=> {_side(names, right[:, s])}",
            "rate-constant": {"A": float(prefactor[s]), "b": 0, "Ea": float(activation[s] * EV_J * KMOL)},
            "note": f"{step} ({network.classes[s]})",
        }
        for s, step in enumerate(network.steps)
    ]


def _log_constants(model: Model, temperature_K: float) -> np.ndarray:
    """Ln of the forward constants: r = k prod c with gases in kmol/m^3 and surface species in kmol/m^2."""
    network = model.network
    density = network.densities_per_m2 / KMOL
    own = network.sites[np.arange(len(network.species)), network.family_of]
    per_coverage = np.log(density[network.family_of] / own)
    standard = np.log(STANDARD_PRESSURE_PA / (BOLTZMANN_EV_PER_K * EV_J * KMOL * temperature_K))
    units = per_coverage @ network.left + standard * network.gas_left.sum(axis=0)
    forward = np.log(model.rates(temperature_K).forward_per_s)
    return forward + np.log(density[network.reactant_family]) - units


def _side(names: list[str], counts: np.ndarray) -> str:
    return " + ".join(
        f"{count} {name}" if count > 1 else name for name, count in zip(names, counts, strict=True) if count
    )
