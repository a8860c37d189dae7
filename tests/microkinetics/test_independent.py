"""Comparison with independent methods: Cantera on the exported mechanism, and Gillespie's stochastic simulation."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from gillespie import simulate

from qdsurf.errors import InputError
from qdsurf.microkinetics.cantera_export import cantera_mechanism, export_mechanism
from qdsurf.microkinetics.network.mechanism import Mechanism, read_mechanism, tabulate_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.rates.schedule import SupplyPeriod
from qdsurf.microkinetics.solver.integration import integrate

cantera = pytest.importorskip("cantera")

ALUMINA = Path(__file__).parents[2] / "config" / "mechanisms" / "alumina_OH.yaml"


def integrate_with_cantera(
    text: str, family: str, start: np.ndarray, schedule: list[SupplyPeriod], temperature: float
) -> np.ndarray:
    """Coverages at the end of each supply period by Cantera, shape (periods, n)."""
    document = yaml.safe_load(text)
    gas = cantera.Solution(yaml=text, name="gas")
    solids = [cantera.Solution(yaml=text, name=p["name"]) for p in document["phases"] if p["name"].startswith("solid_")]
    surface = cantera.Interface(yaml=text, name=f"surface_{family}", adjacent=[gas, *solids])
    surface.TP = temperature, 1e5
    for solid in solids:
        solid.TP = temperature, 1e5
    surface.coverages = start
    ends = []
    for period in schedule:
        total = sum(period.pressures_Pa.values())
        names = {f"{name}_g": p for name, p in period.pressures_Pa.items()} or {gas.species_names[0]: 1.0}
        gas.TPX = temperature, total or 1e-100, names
        surface.advance_coverages(period.duration_s, rtol=1e-10, atol=1e-18)
        ends.append(surface.coverages.copy())
    return np.array(ends)


@pytest.mark.parametrize("temperature", [320.0, 500.0])
def test_cantera_integrates_the_exported_alumina_to_the_same_coverages(temperature):
    model = prepare(*read_mechanism(ALUMINA))
    schedule = [
        SupplyPeriod(0.025, {"TMA": 3.0}),
        SupplyPeriod(5.0, {}),
        SupplyPeriod(0.03, {"H2O": 10.0}),
        SupplyPeriod(7.0, {}),
    ]
    by_cantera = integrate_with_cantera(
        cantera_mechanism(model, temperature), "surface", model.network.initial, schedule, temperature
    )
    run = integrate(model.network, model.rates(temperature), schedule, temperature, rtol=1e-7)
    by_qdsurf = [run.coverages[np.searchsorted(run.time_s, end * (1 - 1e-12))] for end in (0.025, 5.025, 5.055, 12.055)]
    assert np.array(by_qdsurf) == pytest.approx(by_cantera, abs=1e-6)


def special_mechanism(**more) -> dict:
    """Names with a meaning in Cantera, a bidentate, a pair reaction, and a desorbing gas."""
    return {
        "system": "special",
        "temperature_range_K": (400.0, 500.0),
        "sites": {"s": {"density_per_nm2": 4.0}},
        "species": [
            {"name": "(S)@s", "formula": "", "energy_eV": 0.0, "initial_coverage": 1.0},
            {"name": "M@s", "formula": "H", "energy_eV": -1.0, "entropy_eV_per_K": 5e-4, "sigma_eV": 0.1},
            {"name": "M2@s&s", "formula": "H2", "energy_eV": -2.2, "entropy_eV_per_K": 5e-4},
        ],
        "gases": [
            {"name": "M", "formula": "H", "energy_eV": 0.0, "entropy_eV_per_K": 1.2e-3},
            {"name": "M2", "formula": "H2", "energy_eV": -1.3, "entropy_eV_per_K": 1.4e-3},
        ],
        "steps": [
            {"name": "on", "reaction_class": "precursor-surface", "equation": "M(g) + (S)@s -> M@s"},
            {"name": "pair", "reaction_class": "precursor-surface", "equation": "2 M@s -> M2@s&s"}
            | {"activation_energy_eV": 0.9},
            {"name": "off", "reaction_class": "ligand-surface", "equation": "M2@s&s -> 2 (S)@s + M2(g)"}
            | {"activation_energy_eV": 1.3, "activation_entropy_eV_per_K": 2e-4},
        ],
        "source": "assumed for the test",
    } | more


def test_a_species_named_M_is_not_a_third_body():
    model = prepare("special", tabulate_mechanism(Mechanism(**special_mechanism())))
    text = cantera_mechanism(model, 450.0)
    schedule = [SupplyPeriod(1e-4, {"M": 100.0, "M2": 5.0}), SupplyPeriod(0.5, {"M": 1.0})]
    by_cantera = integrate_with_cantera(text, "s", model.network.initial, schedule, 450.0)
    run = integrate(model.network, model.rates(450.0), schedule, 450.0, rtol=1e-7)
    assert run.coverages[-1] == pytest.approx(by_cantera[-1], abs=1e-6)
    assert 0.01 < by_cantera[-1].max() < 0.99


def test_the_export_is_accurate_near_its_temperature():
    """Activation energies and entropies are slopes, so that the rates 2 K away have an error of second order."""
    model = prepare("special", tabulate_mechanism(Mechanism(**special_mechanism())))
    text, schedule = cantera_mechanism(model, 450.0), [SupplyPeriod(1e-4, {"M": 100.0, "M2": 5.0})]
    by_cantera = integrate_with_cantera(text, "s", model.network.initial, schedule, 452.0)[-1]
    assert integrate(model.network, model.rates(452.0), schedule, 452.0).coverages[-1] == pytest.approx(
        by_cantera, abs=1e-3
    )


def test_the_file_says_why_there_is_no_mechanism():
    data = special_mechanism(interactions=[{"species": ("M@s", "M@s"), "interaction_eV_nm2": 0.01}])
    tables = tabulate_mechanism(Mechanism(**data))
    with pytest.raises(InputError, match="lateral interactions are not part of the Cantera export"):
        cantera_mechanism(prepare("special", tables), 450.0)
    assert export_mechanism("special", tables, 450.0).startswith("# no mechanism: special: lateral interactions")


def test_gillespie_agrees_within_four_standard_errors():
    data = special_mechanism()
    data["steps"][0]["sticking_coefficient"] = 1e-6  # so that the fast pair reaction has few events
    model = prepare("special", tabulate_mechanism(Mechanism(**data)))
    schedule = [SupplyPeriod(2e-3, {"M": 30000.0}), SupplyPeriod(1e-2, {"M": 100.0})]
    rates = model.rates(450.0)
    repeats, area = 400, 250.0  # 1000 sites
    ends = simulate(model.network, rates, schedule, area, repeats, 1)
    mean, error = ends.mean(axis=0), ends.std(axis=0, ddof=1) / np.sqrt(repeats)
    expected = integrate(model.network, rates, schedule, 450.0).coverages[-1]
    assert np.all(np.abs(mean - expected) <= 4 * error + 1e-12)
    assert error.max() < 2e-3 and 0.05 < expected[1] < 0.95


def test_gillespie_needs_integer_numbers_of_sites():
    model = prepare("special", tabulate_mechanism(Mechanism(**special_mechanism())))
    with pytest.raises(InputError, match=r"0.3 nm.2 contain 1.2 of s; give an area with integer numbers"):
        simulate(model.network, model.rates(450.0), [], 0.3, 1, 0)
