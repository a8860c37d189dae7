"""Selectivity, its uncertainty, losses and uptake."""

import numpy as np
import pandas as pd
import pytest

from qdsurf.errors import BalanceError, InputError
from qdsurf.microkinetics.analysis import branching, uncertainty
from qdsurf.microkinetics.analysis.selectivity import run_kinetics
from qdsurf.microkinetics.network.tables import Tables
from qdsurf.microkinetics.solver import integration as solver
from qdsurf.records.models import Molecule, Precursor, Recipe

SYSTEM = "PbS_111_Pb~acetate~TMA"
RECIPE = Recipe(
    name="pulse",
    temperature_K=313.15,
    steps=(
        {"role": "precursor", "species": "TMA", "pressure_Pa": 3.0, "duration_s": 1.0},
        {"role": "purge", "species": "inert", "pressure_Pa": 0.0, "duration_s": 30.0},
    ),
    source="assumed for the test",
)
TMA = Precursor(
    name="TMA",
    smiles="C[Al](C)C",
    metal="Al",
    leaving="C",
    by_product=Molecule(name="CH4", smiles="C"),
    source="assumed for the test",
)
SHARES = ["precursor_surface", "precursor_ligand", "ligand_surface"]
COLUMNS = [
    "system",
    "temperature_K",
    "pressure_Pa",
    "time_s",
    *SHARES,
    "ligand_loss",
    "cation_loss",
    "uptake_per_nm2",
    "p_ligand_wins",
    "precursor_ligand_p16",
    "precursor_ligand_p84",
    "samples",
    "failed_samples",
    "missing_steps",
    "sample_model",
]


def run(made, samples=8, seed=0, **kwargs):
    result = run_kinetics(SYSTEM, made.tables, RECIPE, TMA, samples, seed, **kwargs)
    assert len(result.selectivity) == 1
    return result.coverages, result.selectivity.iloc[0]


def without_steps(made, *names, reason="not_converged"):
    made.steps.loc[made.steps["step"].isin(names), "status"] = reason
    return made


def test_tables_have_the_documented_columns(templates):
    coverages, row = run(templates(), samples=33)
    assert row.index.tolist() == COLUMNS
    assert coverages.columns[:4].tolist() == ["system", "time_s", "free@surface", "intact@ligand"]
    assert coverages["time_s"].is_monotonic_increasing and coverages["time_s"].iloc[-1] == 31.0
    assert row["samples"] == 64 and row["failed_samples"] == 0
    assert row[SHARES].sum() == pytest.approx(1)
    assert row["precursor_ligand_p16"] < row["precursor_ligand_p84"]
    assert 0 < row["p_ligand_wins"] < 1
    assert row["missing_steps"] == "" and row["sample_model"] == "acetate"
    assert row["pressure_Pa"] == 3.0 and row["temperature_K"] == 313.15


def test_losses_and_uptake_agree_with_the_coverages(templates):
    coverages, row = run(templates())
    end = coverages.iloc[-1]
    assert row["ligand_loss"] == pytest.approx(end["transferred@ligand"] + end["vacant@ligand"], rel=1e-5)
    surface = end[["adduct@surface", "dissociated@surface", "film@surface"]].sum()
    ligand = end[["adduct@ligand", "transferred@ligand", "amide@ligand"]].sum()
    assert row["uptake_per_nm2"] == pytest.approx(4 * surface + 3 * ligand, rel=1e-6)
    assert 0 < row["cation_loss"] < 1e-6


def test_tables_from_csv_files_with_other_systems_give_the_same_result(templates, tmp_path):
    made = templates()
    _, expected = run(made)
    for name in ("states", "steps", "sites"):
        table = getattr(made, name)
        pd.concat([table.assign(system="other"), table]).to_csv(tmp_path / f"{name}.csv", index=False)
    states, steps, sites = (pd.read_csv(tmp_path / f"{name}.csv") for name in ("states", "steps", "sites"))
    again = run_kinetics(SYSTEM, Tables(states, steps, sites), RECIPE, TMA, 8, 0)
    pd.testing.assert_series_equal(again.selectivity.iloc[0], expected)


def test_symmetric_routes_win_equally_often(tables):
    """Two symmetric routes: the share is one half, and each wins in half of the samples."""
    sides = [("precursor-surface", "free@surface", "s"), ("precursor-ligand", "intact@ligand", "l")]
    steps = []
    for reaction_class, site, mark in sides:
        family = site.split("@")[1]
        common = {"reaction_class": reaction_class}
        steps.append(
            common
            | {"step": f"bind_{mark}", "lattice": f"TMA(g) + {site} -> adduct@{family}", "initial_state": "ligated"}
            | {"reactive": False}
        )
        steps.append(
            common
            | {"step": f"react_{mark}", "lattice": f"adduct@{family} -> done@{family}", "initial_state": f"bind_{mark}"}
            | {"activation_energy_eV": 1.0, "activation_sigma_eV": 0.1, "barrier_source": "bep"}
        )
    levels = {"ligated": 0.0, "bind_s": -0.4, "bind_l": -0.4, "react_s": -2.0, "react_l": -2.0}
    made = tables(levels, steps, {"TMA": (72.0, 0.0)}, {"free@surface": 3.0, "intact@ligand": 3.0}, 313.15)
    _, row = run(made, samples=256)
    assert row["precursor_ligand"] == pytest.approx(0.5, rel=1e-6)
    assert row["p_ligand_wins"] == pytest.approx(0.5, abs=0.05)
    # the share is 1 / (1 + exp(x)) with x normal of width sqrt(2) 0.1 eV / kT while little has reacted
    width = 2**0.5 * 0.1 / (8.617333e-5 * 313.15)
    assert row["precursor_ligand_p84"] == pytest.approx(1 / (1 + np.exp(-0.9945 * width)), abs=0.05)
    assert row["missing_steps"] == "class ligand-surface"
    assert np.isnan(row["ligand_loss"]) and np.isnan(row["cation_loss"])  # because no step removes a ligand or a cation


def test_without_energies_of_a_class_all_shares_are_nan_and_the_class_is_named(templates):
    _, row = run(without_steps(templates(), "carboxylate_transfer", "protonolysis_ligand"))
    assert np.isnan([row[share] for share in ("precursor_surface", "precursor_ligand", "ligand_surface")]).all()
    assert row["missing_steps"] == "carboxylate_transfer;protonolysis_ligand;class precursor-ligand"
    assert np.isnan(row["p_ligand_wins"])


def test_cation_loss_without_its_step_is_nan_and_not_zero(templates):
    _, row = run(without_steps(templates(), "ligand_desorption_salt"))
    assert np.isnan(row["cation_loss"]) and row["ligand_loss"] > 0


def test_without_any_reactive_step_the_shares_are_nan(templates):
    made = templates()
    made.steps.loc[made.steps["reactive"], "status"] = "ligated: not_converged"
    _, row = run(made)
    assert row[[*SHARES, "p_ligand_wins", "precursor_ligand_p16"]].isna().all()
    assert (
        row["missing_steps"].startswith("dissociation_surface;") and "class precursor-surface" in row["missing_steps"]
    )
    assert row["uptake_per_nm2"] >= 0


def test_a_given_pressure_replaces_that_of_the_recipe(templates):
    _, low = run(templates(), pressure_Pa=1e-4)
    _, high = run(templates())
    assert low["pressure_Pa"] == 1e-4 and low["uptake_per_nm2"] < high["uptake_per_nm2"]


def test_failed_samples_are_counted_and_the_others_are_used(templates, monkeypatch):
    """A sample with rate constants that are not finite cannot be integrated."""
    shifts = uncertainty.sample_shifts

    def with_two_invalid(*args):
        made = shifts(*args)
        made.barrier_eV[[2, 4]] = np.nan
        return made

    monkeypatch.setattr(uncertainty, "sample_shifts", with_two_invalid)
    _, row = run(templates())
    assert row["failed_samples"] == 2 and np.isfinite(row["p_ligand_wins"])


def test_a_step_that_runs_backwards_counts_as_zero(templates):
    network = templates().network
    flux = np.zeros(8)
    flux[network.steps.index("dissociation_surface")] = -0.5
    flux[network.steps.index("protonolysis_surface_hydrogen")] = 0.2
    flux[network.steps.index("adduct_ligand")] = 3.0  # not reactive
    assert branching.class_flux(network, flux) == pytest.approx([0.2, 0.0, 0.0])


def test_stiff_samples_of_uncertain_energies_do_not_fail(templates, monkeypatch):
    rescued, rescue = [], solver.lsoda.integrate_periods
    monkeypatch.setattr(solver.lsoda, "integrate_periods", lambda *a, **k: rescued.append(1) or rescue(*a, **k))
    made = templates()
    made.states.loc[made.states["sigma_eV"] > 0, "sigma_eV"] = 0.6
    _, row = run(made, samples=512, seed=1)
    assert row["failed_samples"] == 0 and not rescued


def test_a_temperature_without_free_energies_is_rejected(templates):
    with pytest.raises(
        InputError,
        match=r"no free energies at 400.0 K. Column gibbs_eV .* is known only at 313.15 K; give this temperature",
    ):
        run(templates(), temperature_K=400.0)


def test_different_states_for_one_species_are_rejected(templates):
    made = templates()
    extra = made.steps[made.steps["step"] == "dissociation_surface"].assign(
        step="again", final_state="protonolysis_ligand"
    )
    made = type(made)(made.states, pd.concat([made.steps, extra], ignore_index=True), made.sites)
    with pytest.raises(BalanceError, match="cycle dissociation_surface, again add up to"):
        run(made)


def test_at_least_one_sample_is_required(templates):
    with pytest.raises(InputError, match="samples is 0; give 1 or more"):
        run(templates(), samples=0)
