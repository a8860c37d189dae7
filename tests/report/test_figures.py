"""Figures show what the tables say: units on the axes, missing numbers as missing, the same bytes twice."""

import numpy as np
import pandas as pd
import pytest
from ase.build import add_adsorbate, fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from matplotlib.text import Text

from qdsurf.errors import InputError
from qdsurf.report.figures.kinetics import (
    plot_control,
    plot_coverages,
    plot_energy_profile,
    plot_ranking,
    plot_saddle,
    plot_saturation,
    plot_selectivity,
    plot_selectivity_map,
    save,
    write,
)
from qdsurf.report.pages.viewer import draw_structure
from qdsurf.report.system_names import label_of

MISSING = "PbS_100_PbS~oleate~DEZ"
NO_NUMBER = "CsPbBr3_100_CsBr~oleate~TDMAT"


def texts(figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(match=Text))


def test_the_bars_are_the_shares_of_the_table(selectivity):
    (axes,) = plot_selectivity(selectivity).axes
    given = selectivity.dropna(subset=["precursor_surface"])
    for share in ("precursor_surface", "precursor_ligand", "ligand_surface"):
        widths = [bars[0].get_width() for bars in axes.containers if bars.get_label() == share]
        np.testing.assert_allclose(widths, given[share])


def test_a_row_without_a_number_has_no_bar_and_says_why(selectivity):
    figure = plot_selectivity(selectivity)
    assert len(figure.axes[0].containers) == 3 * (len(selectivity) - 1)
    assert "no number: adduct surface; dissociation surface" in texts(figure).replace("\n", " ")


def test_probabilities_are_printed(selectivity):
    words = texts(plot_selectivity(selectivity))
    for value in selectivity.p_ligand_wins.dropna():
        assert f"P = {value:.2f}" in words


def test_a_missing_state_is_drawn_as_missing(energetics):
    states, steps = energetics
    assert "not found" in texts(plot_energy_profile(states, steps, MISSING))
    assert "not found" not in texts(plot_energy_profile(states, steps, "PbS_100_PbS~oleate~TMA"))


def test_a_profile_shows_every_state_before_and_after_its_correction(energetics):
    states, steps = energetics
    figure = plot_energy_profile(states, steps, "PbS_100_PbS~oleate~TMA")
    bars = {line.get_gid(): line.get_ydata()[0] for line in figure.axes[0].lines if line.get_gid()}
    names = [gid.removeprefix("state:") for gid in bars if gid.startswith("state:")]
    assert names
    for name in names:
        assert bars[f"state:{name}"] - bars[f"raw:{name}"] == pytest.approx(0.1)
    without = states.drop(columns=["correction_eV", "total_sigma_eV"])
    figure = plot_energy_profile(without, steps, "PbS_100_PbS~oleate~TMA")
    assert not any(str(line.get_gid()).startswith("raw:") for line in figure.axes[0].lines)


def test_a_profile_shows_the_level_of_the_geometries_beside_the_better_one(energetics):
    states, steps = energetics
    unrefined = states, steps.assign(reaction_energy_eV=steps.reaction_energy_eV + 0.3)
    figure = plot_energy_profile(states, steps, "PbS_100_PbS~oleate~TMA", unrefined)
    bars = {line.get_gid(): line.get_ydata()[0] for line in figure.axes[0].lines if line.get_gid()}
    first = next(gid.removeprefix("state:") for gid in bars if gid.startswith("state:"))
    assert bars[f"unrefined:{first}"] - bars[f"state:{first}"] == pytest.approx(0.3)
    assert bars[f"raw:{first}"] - bars[f"unrefined:{first}"] == pytest.approx(-0.1)
    assert "unrefined" in texts(figure)


def test_every_axis_has_its_unit(energetics, selectivity, coverages, recipe):
    states, steps = energetics
    assert "(eV)" in texts(plot_energy_profile(states, steps, MISSING))
    assert "(dimensionless)" in plot_selectivity(selectivity).axes[0].get_xlabel()
    words = texts(plot_coverages(coverages, recipe, MISSING))
    assert "time (s)" in words and "(fraction)" in words
    assert "x (Å)" in texts(draw_structure(fcc111("Ag", (2, 2, 2), vacuum=5)))


def test_coverages_have_a_panel_for_each_family_and_step(coverages, recipe):
    figure = plot_coverages(coverages, recipe, MISSING)
    assert len(figure.axes) == 2 * len(recipe.steps)
    assert "DEZ pulse" in texts(figure) and "H2O pulse" in texts(figure)


def test_a_system_without_coverages_says_so(recipe, coverages):
    assert "no step has a number" in texts(plot_coverages(coverages[["time_s"]], recipe, MISSING))


def test_an_unknown_system_is_named(energetics):
    with pytest.raises(InputError, match="unknown system 'PbS_100_PbS~oleate~X'.*PbS_100_PbS~oleate~TMA"):
        plot_energy_profile(*energetics, "PbS_100_PbS~oleate~X")


def test_a_missing_column_is_named(selectivity):
    with pytest.raises(InputError, match="missing column p_ligand_wins"):
        plot_selectivity(selectivity.drop(columns="p_ligand_wins"))


def test_two_saves_are_identical(selectivity, tmp_path):
    for folder in ("a", "b"):
        save(plot_selectivity(selectivity), tmp_path / folder / "figure")
    for ending in ("svg", "png"):
        first, second = (tmp_path / folder / f"figure.{ending}" for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_an_unknown_format_is_refused(selectivity, tmp_path):
    with pytest.raises(InputError, match=r"written as \.svg or \.png"):
        write(plot_selectivity(selectivity), tmp_path / "figure.pdf")


@pytest.fixture
def points() -> pd.DataFrame:
    """A map on which the ligand route takes over as it gets hotter."""
    rows = []
    for temperature in np.linspace(290, 670, 6):
        for pressure in np.geomspace(0.1, 1e5, 5):
            wins = 1 / (1 + np.exp((480 - temperature) / 30))
            rows.append((MISSING, temperature, pressure, 1 - wins, wins, wins))
    columns = ["system", "temperature_K", "pressure_Pa", "precursor_surface", "precursor_ligand", "p_ligand_wins"]
    return pd.DataFrame(rows, columns=columns)


def test_the_map_marks_the_recipe_and_the_contours(points, selectivity):
    row = selectivity[selectivity.system == MISSING]
    figure = plot_selectivity_map(points, row, MISSING)
    words = texts(figure)
    assert "temperature (°C)" in words and "pressure of the precursor (Pa)" in words
    assert "P = 0.5" in words and "P = 0.9" in words and "ring: the recipe" in words
    (ring,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert ring.get_xdata()[0] == pytest.approx(row.temperature_K.iloc[0] - 273.15)
    outside = plot_selectivity_map(points, row.assign(temperature_K=900.0), MISSING)
    assert "the recipe lies outside" in texts(outside)


def test_the_map_is_grey_where_nothing_lasts(points, selectivity):
    row = selectivity[selectivity.system == MISSING]
    hot = points.temperature_K > points.temperature_K.median()
    undone = points.assign(
        precursor_surface=points.precursor_surface.mask(hot, 0.0),
        precursor_ligand=points.precursor_ligand.mask(hot, 0.0),
        p_ligand_wins=points.p_ligand_wins.mask(hot, 1.0),
    )
    figure = plot_selectivity_map(undone, row, MISSING)
    assert "grey: what the precursor does, the purge undoes" in texts(figure)
    assert figure.axes[0].collections[0].get_array().mask.any() and "P = 0.9" not in texts(figure)
    assert "grey" not in texts(plot_selectivity_map(points, row, MISSING))


def test_bars_of_control_are_those_of_the_table_largest_on_top():
    rows = [("step", "slow", 0.9, -0.8), ("step", "fast", 1e-6, 0.0), ("state", "adduct", -0.3, np.nan)]
    control = pd.DataFrame(rows, columns=["kind", "name", "uptake_control", "selectivity_control"]).assign(
        system=MISSING
    )
    figure = plot_control(control, MISSING)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["adduct (state)", "slow (step)"]  # what controls nothing is left out
    np.testing.assert_allclose([bar.get_width() for bar in figure.axes[0].patches], [-0.3, 0.9])
    assert "not defined" in texts(figure) and "(dimensionless)" in texts(figure)


def test_saturation_shows_both_units_and_both_doses():
    dose = np.geomspace(1e-6, 1e3, 40)
    taken = 4 * (1 - np.exp(-dose / 0.1))
    curve = pd.DataFrame({"dose_Pa_s": dose, "uptake_per_nm2": taken, "sticking": taken / dose / 1e3})
    marks = pd.DataFrame([{"dose_95_Pa_s": 0.3, "pulse_Pa_s": 0.1}])
    words = texts(plot_saturation(curve, marks, MISSING))
    for label in ("dose (Pa s)", "dose (Langmuir)", "uptake (nm", "sticking so far (dimensionless)", "95 %", "recipe"):
        assert label in words
    assert "nothing is taken up" in texts(plot_saturation(curve.assign(uptake_per_nm2=0.0), marks, MISSING))


def test_the_ranking_names_every_precursor_and_lists_what_has_no_number(selectivity):
    figure = plot_ranking(selectivity)
    words = texts(figure)
    assert "no number:\nCsPbBr₃(100) CsBr  oleate  TDMAT" in words
    for label in ("TMA", "DEZ", "TDMAT", "uptake over the recipe (nm", "(fraction)"):
        assert label in words


def test_the_ranking_lists_systems_without_uptake_apart_from_those_without_numbers(selectivity):
    first = selectivity.system.iloc[0]
    uptake = selectivity.uptake_per_nm2.where(selectivity.system != first, 0.0)
    words = texts(plot_ranking(selectivity.assign(uptake_per_nm2=uptake)))
    assert f"no number:\nCsPbBr₃(100) CsBr  oleate  TDMAT\n\nno uptake:\n{label_of(first)}" in words


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_control(pd.DataFrame(columns=["system", "kind", "name"]), MISSING),
        lambda: plot_saturation(pd.DataFrame(columns=["dose_Pa_s"]), pd.DataFrame(), MISSING),
        lambda: plot_selectivity_map(pd.DataFrame(columns=["temperature_K"]), pd.DataFrame(), MISSING),
    ],
)
def test_an_empty_table_makes_a_figure_that_says_so(draw):
    assert "PbS(100)  oleate  DEZ" in texts(draw()) and "no " in texts(draw())


def dissociation(bond_A: float, energy_eV: float, state: str):
    """N2 across the edge of a periodic cell."""
    slab = fcc111("Cu", (3, 3, 2), vacuum=8)
    nitrogen = molecule("N2")
    nitrogen.set_distance(0, 1, bond_A)
    nitrogen.rotate(90, "y")
    add_adsorbate(slab, nitrogen, 1.8, offset=(0.0, 0.0))
    slab.wrap()
    slab.calc = SinglePointCalculator(slab, energy=energy_eV)
    slab.info["state"] = state
    return slab


def test_a_saddle_is_drawn_with_its_energies_and_the_bonds_that_change():
    states = ("initial", "saddle", "final")
    path = [dissociation(*one) for one in zip((1.1, 1.8, 2.6), (-3.0, -1.75, -3.4), states, strict=True)]
    result = {"status": "verified", "reason": "", "imaginary_modes_cm": [-523.4]}
    figure = plot_saddle(path, result, "PbS_100_PbS~oleate~TMA", "dissociation_surface")
    words = texts(figure)
    for word in (
        "1.25 eV",
        "\N{MINUS SIGN}0.40 eV",
        "523i",
        "N–N 1.10 Å",
        "N–N 2.60 Å",
        "energy (eV)",
        "not corrected",
        "dissociation surface",
    ):
        assert word in words, word
    lengths = [np.linalg.norm(np.diff(line.get_xydata(), axis=0)) for line in figure.axes[1].lines]
    assert max(lengths) < 3 and any(length == pytest.approx(1.8) for length in lengths)  # whole, and in the page


def test_a_step_without_a_saddle_says_why():
    result = {"status": "wrong_ends", "reason": "downhill lie two others"}
    assert "wrong ends): downhill" in texts(plot_saddle([], result, "PbS_100_PbS~oleate~TMA", "dissociation_surface"))
