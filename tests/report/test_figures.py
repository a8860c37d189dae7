"""Figures show what the tables say: units on the axes, missing numbers as missing, the same bytes twice."""

import numpy as np
import pytest
from ase.build import fcc111

from qdsurf.errors import InputError
from qdsurf.report.figures import plot_coverages, plot_energy_profile, plot_selectivity, save, write
from qdsurf.report.viewer import draw_structure

MISSING = "PbS_100_PbS~oleate~DEZ"
NO_NUMBER = "CsPbBr3_100_CsBr~oleate~TDMAT"


def texts(figure) -> str:
    return " ".join(text.get_text() for text in figure.findobj(match=lambda artist: hasattr(artist, "get_text")))


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
