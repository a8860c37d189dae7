"""Tests of the figures: values and units of the tables, missing numbers, and files that are identical in every run."""

import numpy as np
import pandas as pd
import pytest
from ase.build import add_adsorbate, fcc111, molecule
from ase.calculators.singlepoint import SinglePointCalculator
from matplotlib.text import Text

from qdsurf.errors import InputError
from qdsurf.report.figures.control import plot_control
from qdsurf.report.figures.coverages import plot_coverages
from qdsurf.report.figures.profile import plot_energy_profile
from qdsurf.report.figures.ranking import plot_ranking
from qdsurf.report.figures.saddle import plot_saddle
from qdsurf.report.figures.saturation import plot_saturation
from qdsurf.report.figures.selectivity import plot_selectivity
from qdsurf.report.figures.selectivity_map import plot_selectivity_map
from qdsurf.report.figures.structure import draw_structure
from qdsurf.report.figures.style import write_figure, write_svg_and_png
from qdsurf.report.system_names import system_label
from qdsurf.saddles.result import SaddleResult

MISSING = "PbS_100_PbS~oleate~DEZ"
NO_NUMBER = "CsPbBr3_100_CsBr~oleate~TDMAT"


def texts(figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(match=Text))


def test_bar_widths_are_the_shares_of_the_table(selectivity):
    (axes,) = plot_selectivity(selectivity).axes
    given = selectivity.dropna(subset=["precursor_surface"])
    for share in ("precursor_surface", "precursor_ligand", "ligand_surface"):
        widths = [bars[0].get_width() for bars in axes.containers if bars.get_label() == share]
        np.testing.assert_allclose(widths, given[share])


def test_a_system_without_shares_has_no_bar_but_a_reason(selectivity):
    figure = plot_selectivity(selectivity)
    assert len(figure.axes[0].containers) == 3 * (len(selectivity) - 1)
    assert "no number: adduct surface; dissociation surface" in texts(figure).replace("\n", " ")


def test_the_selectivity_figure_contains_all_probabilities(selectivity):
    words = texts(plot_selectivity(selectivity))
    for value in selectivity.p_ligand_wins.dropna():
        assert f"P = {value:.2f}" in words


def test_the_profile_marks_missing_states(energetics):
    states, steps = energetics
    assert "not found" in texts(plot_energy_profile(states, steps, MISSING))
    assert "not found" not in texts(plot_energy_profile(states, steps, "PbS_100_PbS~oleate~TMA"))


def test_the_profile_shows_energies_before_and_after_correction(energetics):
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


def test_the_profile_shows_unrefined_energies_beside_refined_ones(energetics):
    states, steps = energetics
    unrefined = states, steps.assign(reaction_energy_eV=steps.reaction_energy_eV + 0.3)
    figure = plot_energy_profile(states, steps, "PbS_100_PbS~oleate~TMA", unrefined)
    bars = {line.get_gid(): line.get_ydata()[0] for line in figure.axes[0].lines if line.get_gid()}
    first = next(gid.removeprefix("state:") for gid in bars if gid.startswith("state:"))
    assert bars[f"unrefined:{first}"] - bars[f"state:{first}"] == pytest.approx(0.3)
    assert bars[f"raw:{first}"] - bars[f"unrefined:{first}"] == pytest.approx(-0.1)
    assert "unrefined" in texts(figure)


def test_axes_have_units(energetics, selectivity, coverages, recipe):
    states, steps = energetics
    assert "(eV)" in texts(plot_energy_profile(states, steps, MISSING))
    assert "(dimensionless)" in plot_selectivity(selectivity).axes[0].get_xlabel()
    words = texts(plot_coverages(coverages, recipe, MISSING))
    assert "time (s)" in words and "(fraction)" in words
    assert "x (Å)" in texts(draw_structure(fcc111("Ag", (2, 2, 2), vacuum=5)))


def test_coverages_have_one_panel_for_each_site_family_and_recipe_step(coverages, recipe):
    figure = plot_coverages(coverages, recipe, MISSING)
    assert len(figure.axes) == 2 * len(recipe.steps)
    assert "DEZ pulse" in texts(figure) and "H2O pulse" in texts(figure)


def test_a_table_without_species_gives_a_message(recipe, coverages):
    assert "no step could be computed" in texts(plot_coverages(coverages[["time_s"]], recipe, MISSING))


def test_an_unknown_system_is_an_error_that_lists_the_systems(energetics):
    with pytest.raises(InputError, match="unknown system 'PbS_100_PbS~oleate~X'.*PbS_100_PbS~oleate~TMA"):
        plot_energy_profile(*energetics, "PbS_100_PbS~oleate~X")


def test_a_missing_column_is_an_error_that_names_it(selectivity):
    with pytest.raises(InputError, match="missing column p_ligand_wins"):
        plot_selectivity(selectivity.drop(columns="p_ligand_wins"))


def test_writing_a_figure_twice_gives_identical_files(selectivity, tmp_path):
    for folder in ("a", "b"):
        write_svg_and_png(plot_selectivity(selectivity), tmp_path / folder / "figure")
    for ending in ("svg", "png"):
        first, second = (tmp_path / folder / f"figure.{ending}" for folder in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()


def test_an_unknown_suffix_is_an_error(selectivity, tmp_path):
    with pytest.raises(InputError, match=r"written as \.svg or \.png"):
        write_figure(plot_selectivity(selectivity), tmp_path / "figure.pdf")


@pytest.fixture
def points() -> pd.DataFrame:
    """Map on which the share of the ligand route increases with temperature."""
    rows = []
    for temperature in np.linspace(290, 670, 6):
        for pressure in np.geomspace(0.1, 1e5, 5):
            wins = 1 / (1 + np.exp((480 - temperature) / 30))
            rows.append((MISSING, temperature, pressure, 1 - wins, wins, wins))
    columns = ["system", "temperature_K", "pressure_Pa", "precursor_surface", "precursor_ligand", "p_ligand_wins"]
    return pd.DataFrame(rows, columns=columns)


def test_the_map_has_a_ring_at_the_recipe_and_labelled_contours(points, selectivity):
    row = selectivity[selectivity.system == MISSING]
    figure = plot_selectivity_map(points, row, MISSING)
    words = texts(figure)
    assert "temperature (°C)" in words and "pressure of the precursor (Pa)" in words
    assert "P = 0.5" in words and "P = 0.9" in words and "ring: the recipe" in words
    (ring,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert ring.get_xdata()[0] == pytest.approx(row.temperature_K.iloc[0] - 273.15)
    outside = plot_selectivity_map(points, row.assign(temperature_K=900.0), MISSING)
    assert "the recipe lies outside" in texts(outside)


def test_the_map_is_grey_where_no_reaction_remains_after_the_purge(points, selectivity):
    row = selectivity[selectivity.system == MISSING]
    hot = points.temperature_K > points.temperature_K.median()
    undone = points.assign(
        precursor_surface=points.precursor_surface.mask(hot, 0.0),
        precursor_ligand=points.precursor_ligand.mask(hot, 0.0),
        p_ligand_wins=points.p_ligand_wins.mask(hot, 1.0),
    )
    figure = plot_selectivity_map(undone, row, MISSING)
    assert "grey: no reaction of the precursor remains after the purge" in texts(figure)
    assert figure.axes[0].collections[0].get_array().mask.any() and "P = 0.9" not in texts(figure)
    assert "grey" not in texts(plot_selectivity_map(points, row, MISSING))


def test_control_bars_have_the_values_of_the_table_with_the_largest_on_top():
    rows = [("step", "slow", 0.9, -0.8), ("step", "fast", 1e-6, 0.0), ("state", "adduct", -0.3, np.nan)]
    control = pd.DataFrame(rows, columns=["kind", "name", "uptake_control", "selectivity_control"]).assign(
        system=MISSING
    )
    figure = plot_control(control, MISSING)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["adduct (state)", "slow (step)"]  # negligible degrees of control are not drawn
    np.testing.assert_allclose([bar.get_width() for bar in figure.axes[0].patches], [-0.3, 0.9])
    assert "not defined" in texts(figure) and "(dimensionless)" in texts(figure)


def test_the_saturation_figure_shows_both_units_and_both_doses():
    dose = np.geomspace(1e-6, 1e3, 40)
    taken = 4 * (1 - np.exp(-dose / 0.1))
    curve = pd.DataFrame({"dose_Pa_s": dose, "uptake_per_nm2": taken, "sticking": taken / dose / 1e3})
    marks = pd.DataFrame([{"dose_95_Pa_s": 0.3, "pulse_Pa_s": 0.1}])
    words = texts(plot_saturation(curve, marks, MISSING))
    for label in ("dose (Pa s)", "dose (Langmuir)", "uptake (nm", "sticking so far (dimensionless)", "95 %", "recipe"):
        assert label in words
    assert "there is no uptake" in texts(plot_saturation(curve.assign(uptake_per_nm2=0.0), marks, MISSING))


def test_the_ranking_names_all_precursors_and_lists_systems_without_numbers(selectivity):
    figure = plot_ranking(selectivity)
    words = texts(figure)
    assert "no number:\nCsPbBr₃(100) CsBr  oleate  TDMAT" in words
    for label in ("TMA", "DEZ", "TDMAT", "uptake over the recipe (nm", "(fraction)"):
        assert label in words


def test_the_ranking_lists_systems_without_uptake_separately(selectivity):
    first = selectivity.system.iloc[0]
    uptake = selectivity.uptake_per_nm2.where(selectivity.system != first, 0.0)
    words = texts(plot_ranking(selectivity.assign(uptake_per_nm2=uptake)))
    assert f"no number:\nCsPbBr₃(100) CsBr  oleate  TDMAT\n\nno uptake:\n{system_label(first)}" in words


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_control(pd.DataFrame(columns=["system", "kind", "name"]), MISSING),
        lambda: plot_saturation(pd.DataFrame(columns=["dose_Pa_s"]), pd.DataFrame(), MISSING),
        lambda: plot_selectivity_map(pd.DataFrame(columns=["temperature_K"]), pd.DataFrame(), MISSING),
    ],
)
def test_an_empty_table_gives_a_figure_with_a_message(draw):
    assert "PbS(100)  oleate  DEZ" in texts(draw()) and "no " in texts(draw())


def dissociation(bond_A: float, energy_eV: float, state: str):
    """N2 above Cu(111), placed across the boundary of the periodic cell."""
    slab = fcc111("Cu", (3, 3, 2), vacuum=8)
    nitrogen = molecule("N2")
    nitrogen.set_distance(0, 1, bond_A)
    nitrogen.rotate(90, "y")
    add_adsorbate(slab, nitrogen, 1.8, offset=(0.0, 0.0))
    slab.wrap()
    slab.calc = SinglePointCalculator(slab, energy=energy_eV)
    slab.info["state"] = state
    return slab


def test_the_saddle_figure_shows_energies_and_lengths_of_the_changing_bonds():
    states = ("initial", "saddle", "final")
    path = [dissociation(*one) for one in zip((1.1, 1.8, 2.6), (-3.0, -1.75, -3.4), states, strict=True)]
    result = SaddleResult("verified", "", imaginary_modes_cm=(-523.4,))
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
    assert max(lengths) < 3 and any(length == pytest.approx(1.8) for length in lengths)  # no bond crosses the view


def test_a_step_without_verified_saddle_shows_the_reason():
    result = SaddleResult("wrong_ends", "the minima are others")
    assert "wrong ends): the minima" in texts(plot_saddle([], result, "PbS_100_PbS~oleate~TMA", "dissociation_surface"))
