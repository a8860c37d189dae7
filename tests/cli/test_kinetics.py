"""Verb kinetics: tables, figures and errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

SYSTEM = "PbS_100_PbS~none~TMA"


@pytest.fixture
def tables(tmp_path) -> Path:
    """Folder with the tables of the energetics of one system: an adduct and its dissociation."""
    states = [
        {"state": "ligated", "energy_eV": 0.0, "gibbs_eV": 0.0, "sigma_eV": 0.0, "phase": "surface"},
        {"state": "adduct_surface", "energy_eV": -0.6, "gibbs_eV": -0.5, "sigma_eV": 0.1, "phase": "surface"},
        {"state": "dissociation_surface", "energy_eV": -1.1, "gibbs_eV": -1.0, "sigma_eV": 0.1, "phase": "surface"},
        {"state": "TMA", "energy_eV": 0.6, "gibbs_eV": 0.0, "sigma_eV": 0.0, "phase": "gas", "mass_amu": 72.09},
    ]
    shared = {"system": SYSTEM, "reaction_class": "precursor-surface", "removes_ligand": False, "removes_cation": False}
    steps = [
        {"step": "adduct_surface", "lattice": "TMA(g) + free@surface -> adduct@surface", "initial_state": "ligated"},
        {
            "step": "dissociation_surface",
            "lattice": "adduct@surface -> dissociated@surface",
            "initial_state": "adduct_surface",
            "activation_energy_eV": 0.7,
            "activation_sigma_eV": 0.1,
            "barrier_source": "bep",
        },
    ]
    defaults = {"activation_energy_eV": 0.0, "activation_sigma_eV": 0.0, "barrier_source": "none", "status": "ok"}
    rows = [shared | defaults | s | {"final_state": s["step"], "reactive": "bep" in s.values()} for s in steps]
    path = tmp_path / "energetics"
    path.mkdir()
    shared = {"system": SYSTEM, "temperature_K": 313.15, "pressure_Pa": 1e5, "flags": "", "sample_model": "no ligand"}
    pd.DataFrame([shared | state for state in states]).to_csv(path / "states.csv", index=False)
    pd.DataFrame(rows).to_csv(path / "steps.csv", index=False)
    site = {"system": SYSTEM, "family": "surface", "initial_species": "free@surface", "density_per_nm2": 5.7}
    pd.DataFrame([site]).to_csv(path / "sites.csv", index=False)
    return path


def test_kinetics_writes_tables_figures_and_a_mechanism(run, run_json, tables, tmp_path):
    out = tmp_path / "cycle"
    words = ("kinetics", tables, "--system", SYSTEM, "--recipe", "alumina_thermal_40C", "--samples", 8, "-o", out)
    row = run_json(*words, "--pressure_Pa", 20, "--temperature_K", 313.15)
    assert row["precursor_surface"] == 1 and row["pressure_Pa"] == 20 and row["samples"] == 8
    assert row["ligand_loss"] is None  # A quantity without a value is null in JSON, not NaN.
    assert pd.read_csv(out / "selectivity.csv")["uptake_per_nm2"][0] == pytest.approx(row["uptake_per_nm2"])
    coverages = pd.read_csv(out / "coverages.csv")
    total = coverages[["free@surface", "adduct@surface", "dissociated@surface"]].sum(axis=1)
    assert np.allclose(total, 1) and coverages["time_s"].iloc[-1] == pytest.approx(row["time_s"])
    assert "precursor_surface          1" in run(*words)
    for name in ("control.csv", "ledger.csv", "saturation.png", "coverages.svg", "dose.csv", "growth.csv"):
        assert (out / name).stat().st_size > 0, name
    assert "no column formula" in (out / "mechanism.yaml").read_text()


def test_kinetics_of_a_mechanism_file(run_json, error_of, tmp_path):
    out, path = tmp_path / "alumina", Path(__file__).parents[2] / "config" / "mechanisms" / "alumina_OH.yaml"
    words = ("kinetics", path, "--recipe", "alumina_thermal_40C", "--samples", 4, "-o", out)
    row = run_json(*words, "--map", "--cycles", 3, "--temperature_K", 450, "--pore_nm", 5)
    assert row["temperature_K"] == 450 and row["time_s"] == pytest.approx(3 * 12.055)
    assert row["growth_per_cycle_per_nm2"] > 1 and row["dose_95_langmuir"] > 0
    assert len(pd.read_csv(out / "map.csv")) == 625 and (out / "map.png").stat().st_size > 0
    assert pd.read_csv(out / "penetration.csv")["depth_nm"].is_monotonic_increasing
    assert "Knudsen diffusion is assumed, give more than 0 and at most 30 nm" in error_of(*words, "--pore_nm", 100)
    assert (out / "mechanism.yaml").read_text().startswith("description: Al2O3_OH, made by qdsurf; exact at 450.0 K")
    assert "known from 291.15 to 673.15 K; give a temperature in this range" in error_of(*words, "--temperature_K", 200)
    missing = error_of("kinetics", tmp_path / "none.yaml", "--recipe", "alumina_thermal_40C", "-o", out)
    assert "none.yaml: no such file" in missing


def test_recipe_is_read_from_a_file(run_json, tables, tmp_path):
    recipe = tmp_path / "short.yaml"
    recipe.write_text(
        "{name: short, temperature_K: 313.15, source: assumed for the test, steps: "
        "[{role: precursor, species: TMA, pressure_Pa: 1, duration_s: 0.1}]}"
    )
    row = run_json("kinetics", tables, "--recipe", recipe, "--samples", 2, "-o", tmp_path / "out")
    assert row["time_s"] == 0.1 and row["pressure_Pa"] == 1


def test_kinetics_errors(error_of, tables, tmp_path):
    def words(folder=tables, system=SYSTEM, recipe="alumina_thermal_40C"):
        return ("kinetics", folder, "--system", system, "--recipe", recipe, "-o", tmp_path / "out")

    assert "unknown system 'PbS_100_PbS~oleate~TMA'" in error_of(*words(system="PbS_100_PbS~oleate~TMA"))
    assert "unknown system 'PbS'" in error_of(*words(system="PbS"))
    assert "unknown recipe" in error_of(*words(recipe="alumina"))
    assert "states.csv: no such file; the folder must contain" in error_of(*words(folder=tmp_path))
    assert "known only at 313.15 K; give this temperature" in error_of(*words(), "--temperature_K", 400)
    pd.read_csv(tables / "steps.csv").drop(columns="lattice").to_csv(tables / "steps.csv", index=False)
    assert "steps.csv: has no column lattice" in error_of(*words())
    (tables / "steps.csv").write_text("")
    assert "steps.csv: not readable as CSV" in error_of(*words())
    assert not (tmp_path / "out").exists()
