"""The same networks by other means: Cantera from the exported file, and Gillespie's event by event."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from gillespie import simulate

from qdsurf.errors import InputError
from qdsurf.microkinetics.cantera_export import cantera_mechanism, export_mechanism
from qdsurf.microkinetics.network.mechanism import Mechanism, read_mechanism, tabulate_mechanism
from qdsurf.microkinetics.network.model import prepare
from qdsurf.microkinetics.rates.schedule import Piece
from qdsurf.microkinetics.solver.integration import integrate

cantera = pytest.importorskip("cantera")

ALUMINA = Path(__file__).parents[2] / "config" / "mechanisms" / "alumina_OH.yaml"


def follow(text: str, family: str, start: np.ndarray, pieces: list[Piece], temperature: float) -> np.ndarray:
    """Coverages at the end of each piece by Cantera, shape (pieces, n)."""
    document = yaml.safe_load(text)
    gas = cantera.Solution(yaml=text, name="gas")
    solids = [cantera.Solution(yaml=text, name=p["name"]) for p in document["phases"] if p["name"].startswith("solid_")]
    surface = cantera.Interface(yaml=text, name=f"surface_{family}", adjacent=[gas, *solids])
    surface.TP = temperature, 1e5
    for solid in solids:
        solid.TP = temperature, 1e5
    surface.coverages = start
    ends = []
    for piece in pieces:
        total = sum(piece.pressures_Pa.values())
        names = {f"{name}_g": p for name, p in piece.pressures_Pa.items()} or {gas.species_names[0]: 1.0}
        gas.TPX = temperature, total or 1e-100, names
        surface.advance_coverages(piece.duration_s, rtol=1e-10, atol=1e-18)
        ends.append(surface.coverages.copy())
    return np.array(ends)


@pytest.mark.parametrize("temperature", [320.0, 500.0])
def test_cantera_integrates_the_exported_alumina_to_the_same_coverages(temperature):
    model = prepare(*read_mechanism(ALUMINA))
    pieces = [Piece(0.025, {"TMA": 3.0}), Piece(5.0, {}), Piece(0.03, {"H2O": 10.0}), Piece(7.0, {})]
    theirs = follow(cantera_mechanism(model, temperature), "surface", model.network.initial, pieces, temperature)
    run = integrate(model.network, model.rates(temperature), pieces, temperature, rtol=1e-7)
    ours = [run.coverages[np.searchsorted(run.time_s, end * (1 - 1e-12))] for end in (0.025, 5.025, 5.055, 12.055)]
    assert np.array(ours) == pytest.approx(theirs, abs=1e-6)


def awkward(**more) -> dict:
    """Names that mean something to Cantera, a bidentate, a pair reaction, and a gas that leaves."""
    return {
        "system": "awkward",
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


def test_a_species_named_M_is_no_third_body():
    model = prepare("awkward", tabulate_mechanism(Mechanism(**awkward())))
    text = cantera_mechanism(model, 450.0)
    pieces = [Piece(1e-4, {"M": 100.0, "M2": 5.0}), Piece(0.5, {"M": 1.0})]
    theirs = follow(text, "s", model.network.initial, pieces, 450.0)
    run = integrate(model.network, model.rates(450.0), pieces, 450.0, rtol=1e-7)
    assert run.coverages[-1] == pytest.approx(theirs[-1], abs=1e-6)
    assert 0.01 < theirs[-1].max() < 0.99


def test_the_export_holds_near_its_temperature():
    """Activation energies and entropies are the slopes: 2 K away the rates are right to second order."""
    model = prepare("awkward", tabulate_mechanism(Mechanism(**awkward())))
    text, pieces = cantera_mechanism(model, 450.0), [Piece(1e-4, {"M": 100.0, "M2": 5.0})]
    theirs = follow(text, "s", model.network.initial, pieces, 452.0)[-1]
    assert integrate(model.network, model.rates(452.0), pieces, 452.0).coverages[-1] == pytest.approx(theirs, abs=1e-3)


def test_what_cantera_cannot_hold_is_said_in_the_file():
    data = awkward(interactions=[{"species": ("M@s", "M@s"), "interaction_eV_nm2": 0.01}])
    tables = tabulate_mechanism(Mechanism(**data))
    with pytest.raises(InputError, match="lateral interactions are not part of the Cantera export"):
        cantera_mechanism(prepare("awkward", tables), 450.0)
    assert export_mechanism("awkward", tables, 450.0).startswith("# no mechanism: awkward: lateral interactions")


def test_gillespie_agrees_within_four_standard_errors():
    data = awkward()
    data["steps"][0]["sticking_coefficient"] = 1e-6  # few events of the fast pair
    model = prepare("awkward", tabulate_mechanism(Mechanism(**data)))
    pieces = [Piece(2e-3, {"M": 30000.0}), Piece(1e-2, {"M": 100.0})]
    rates = model.rates(450.0)
    repeats, area = 400, 250.0  # 1000 sites
    ends = simulate(model.network, rates, pieces, area, repeats, 1)
    mean, error = ends.mean(axis=0), ends.std(axis=0, ddof=1) / np.sqrt(repeats)
    expected = integrate(model.network, rates, pieces, 450.0).coverages[-1]
    assert np.all(np.abs(mean - expected) <= 4 * error + 1e-12)
    assert error.max() < 2e-3 and 0.05 < expected[1] < 0.95


def test_gillespie_wants_whole_numbers_of_sites():
    model = prepare("awkward", tabulate_mechanism(Mechanism(**awkward())))
    with pytest.raises(InputError, match=r"0.3 nm.2 hold 1.2 of s; give an area with whole ones"):
        simulate(model.network, model.rates(450.0), [], 0.3, 1, 0)
