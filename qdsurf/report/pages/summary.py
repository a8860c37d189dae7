"""The answer for each system in words: which route is faster, how probable that is, and which energies decide it."""

import math
import re
from collections.abc import Iterator
from enum import StrEnum

import pandas as pd

from qdsurf.report.system_names import system_label
from qdsurf.report.tables import require_columns, rows_of
from qdsurf.units import BOLTZMANN_EV_PER_K

DECIDED = 0.84  # smallest probability of a decided answer: one standard deviation on one side of a normal distribution
NAMED = 3  # number of energies that are listed for each system
NEGLIGIBLE = 1e-3  # degrees of control below this value do not change the answer
LONGEST_REASON = 160  # characters
COMPETING_CLASSES = ("precursor-surface", "precursor-ligand")
KINDS = {"state": "the state", "step": "the barrier of"}
# The first page of a Snakemake report is centred in the window, which hides the top of a long page.
START_AT_TOP = ".. raw:: html\n\n   <style>.items-center.h-screen{align-items:flex-start}</style>\n"
TITLE = "Does the precursor react first with the crystal or with the ligands?"


class Answer(StrEnum):
    """Answers to the question of the page, in the order in which they are counted."""

    LIGANDS = "The precursor reacts mainly with the ligands"
    CRYSTAL = "The precursor reacts mainly with the crystal"
    RATHER_LIGANDS = "Undecided, but the ligands are more likely"
    RATHER_CRYSTAL = "Undecided, but the crystal is more likely"
    UNKNOWN = "No answer"


def write_summary(
    selectivity: pd.DataFrame, control: pd.DataFrame, states: pd.DataFrame, steps: pd.DataFrame, recipe: str
) -> str:
    """Write the page in reStructuredText.

    Parameters
    ----------
    selectivity : pandas.DataFrame
        Table `results/kinetics/selectivity.csv`, one row for each system.
    control : pandas.DataFrame
        Degrees of control of all systems, from `results/kinetics/SYSTEM/control.csv`.
    states, steps : pandas.DataFrame
        Tables `results/energetics/states.csv` and `results/energetics/steps.csv` of all systems.
    recipe : str
        Name of the recipe.

    Returns
    -------
    str
        Text of the page.

    Raises
    ------
    InputError
        A column is missing.
    """
    require_columns(selectivity, ["system", "precursor_surface", "p_ligand_wins", "missing_steps"], "selectivity")
    require_columns(states, ["state", "total_sigma_eV", "calculator", "sample_model", "note"], "states")
    lines = [START_AT_TOP, TITLE, "=" * len(TITLE), "", *_overview(selectivity, recipe), ""]
    for _, row in selectivity.iterrows():
        lines += _paragraph(
            row,
            control[control["system"] == row.system],
            rows_of(states, row.system, "states"),
            rows_of(steps, row.system, "steps"),
        )
    return "\n".join(lines)


def classify_answer(p_ligand_wins: float) -> Answer:
    """Classify the probability that the ligand route is faster than the crystal route.

    Parameters
    ----------
    p_ligand_wins : float
        Probability between 0 and 1, NaN if it is unknown.

    Returns
    -------
    Answer
        Decided if one of the routes has a probability of at least `DECIDED`.
    """
    if pd.isna(p_ligand_wins):
        return Answer.UNKNOWN
    is_decided = max(p_ligand_wins, 1 - p_ligand_wins) >= DECIDED
    if p_ligand_wins >= 0.5:
        return Answer.LIGANDS if is_decided else Answer.RATHER_LIGANDS
    return Answer.CRYSTAL if is_decided else Answer.RATHER_CRYSTAL


def _overview(selectivity: pd.DataFrame, recipe: str) -> Iterator[str]:
    """Conditions, number of systems with each answer, and the meaning of the probability."""
    answers = [classify_answer(probability) for probability in selectivity["p_ligand_wins"]]
    counts = "; ".join(f"{answer.lower()} ({answers.count(answer)})" for answer in Answer if answer in answers)
    first = selectivity.iloc[0]
    yield (
        f"{len(selectivity)} systems under one cycle of {_escaped(recipe)} ({first.temperature_K:g} K, "
        f"{first.pressure_Pa:.3g} Pa of the precursor, {first.time_s:.3g} s): {counts}."
    )
    yield (
        "P is the fraction of the energy samples in which the ligand route is faster than the crystal route. "
        f"An answer is decided if one route is faster in at least {_percent(DECIDED)} of the samples. "
        "Missing numbers are not replaced by estimates."
    )


def _paragraph(row: pd.Series, control: pd.DataFrame, states: pd.DataFrame, steps: pd.DataFrame) -> Iterator[str]:
    """Lines on one system: name, answer, and a list of details."""
    answer = classify_answer(row.p_ligand_wins)
    yield f"**{_escaped(system_label(row.system))}**"
    yield ""
    yield " ".join((f"*{answer}.*", *_probability_and_shares(row)))
    yield ""
    details = [*_missing_steps(answer, steps)]
    if answer is not Answer.UNKNOWN:
        details += _sensitivity(row, control, states, steps)
    details += _origin(states)
    for detail in details:
        yield f"- {detail}"
    yield ""


def _probability_and_shares(row: pd.Series) -> Iterator[str]:
    """Probability of the ligand route, and shares of the reactive flux at the mean energies."""
    if pd.isna(row.p_ligand_wins):
        return
    interval = f"{_percent(row.precursor_ligand_p16)} to {_percent(row.precursor_ligand_p84)}"
    yield (
        f"P is {row.p_ligand_wins:.2f}. At the mean energies, {_percent(row.precursor_surface)} of the reactive flux "
        f"goes to the crystal and {_percent(row.precursor_ligand)} to the ligands "
        f"(16th to 84th percentile of the ligand share: {interval})."
    )
    if row.ligand_surface > max(row.precursor_surface, row.precursor_ligand):
        yield (
            f"However, {_percent(row.ligand_surface)} of the reactive flux is desorption of ligands without the "
            "precursor, so this model surface does not retain its ligands. The two routes compete for the remainder."
        )


def _missing_steps(answer: Answer, steps: pd.DataFrame) -> Iterator[str]:
    """Steps that could not be computed, with the reason and the consequence for the answer."""
    missing = steps[steps["status"] != "ok"]
    if len(missing):
        named = "; ".join(
            f"{_with_spaces(step)} ({_escaped(_first_reason(status, step))})"
            for step, status in zip(missing["step"], missing["status"], strict=True)
        )
        if answer is Answer.UNKNOWN:
            yield f"The shares are unknown because these steps could not be computed: {named}."
        else:
            yield f"These steps could not be computed and could change the answer: {named}."
    absent = [name for name in COMPETING_CLASSES if not (steps["reaction_class"] == name).any()]
    if absent:
        yield f"This system has no step of the class {' or '.join(absent)}."
    elif answer is Answer.UNKNOWN and missing.empty:
        yield "All steps were computed, but neither route has a lasting flux in any energy sample."


def _sensitivity(row: pd.Series, control: pd.DataFrame, states: pd.DataFrame, steps: pd.DataFrame) -> Iterator[str]:
    """Energies with the largest degrees of selectivity control, and the change of each that makes the fluxes equal.

    The energies are those of states and barriers. A step without a barrier is not listed, because its rate depends on
    collisions and not on the energy of a saddle point. The change is linear in the degree of control X: the fluxes are
    equal if an energy decreases by kT ln(surface / ligand) / X.
    """
    sigmas = {
        "state": states.set_index("state")["total_sigma_eV"],
        "step": steps.set_index("step")["activation_sigma_eV"],
    }
    without_barrier = steps.loc[steps["barrier_source"] == "none", "step"]
    control = control.assign(size=control["selectivity_control"].abs())
    control = control[control["size"] > NEGLIGIBLE].sort_values("size", ascending=False, kind="stable")
    is_collision = (control["kind"] == "step") & control["name"].isin(without_barrier)
    if is_collision.head(1).any():
        yield "The answer depends most on how fast the precursor adsorbs and desorbs. These steps have no barrier."
    energies = control[~is_collision].head(NAMED)
    if energies.empty:
        yield "A small change of a single energy does not change the ratio of the two routes."
        return
    thermal_energy_eV = BOLTZMANN_EV_PER_K * row.temperature_K
    parts = []
    for entry in energies.itertuples():
        decrease_eV = -thermal_energy_eV * _log_flux_ratio(row) / entry.selectivity_control
        change = _change_to_equal_fluxes(decrease_eV, sigmas[entry.kind].get(entry.name))
        parts.append(
            f"{KINDS[entry.kind]} {_with_spaces(entry.name)} "
            f"({change}, degree of control {entry.selectivity_control:+.2g})"
        )
    yield f"The answer is most sensitive to: {'; '.join(parts)}."


def _log_flux_ratio(row: pd.Series) -> float:
    """Natural logarithm of the flux of the ligand route divided by that of the crystal route; NaN if one is zero."""
    if not (row.precursor_ligand > 0 and row.precursor_surface > 0):
        return math.nan
    return math.log(row.precursor_ligand / row.precursor_surface)


def _change_to_equal_fluxes(decrease_eV: float, sigma_eV: float | None) -> str:
    """Words for the change of an energy that makes the fluxes equal, and for the standard deviation of the energy."""
    words = []
    if math.isfinite(decrease_eV):
        direction = "lower" if decrease_eV > 0 else "higher"
        words.append(f"{abs(decrease_eV):.2f} eV {direction} makes the routes equal")
    if sigma_eV is not None and not pd.isna(sigma_eV):
        words.append(f"standard deviation {sigma_eV:.2f} eV")
    return ", ".join(words) or "change unknown"


def _origin(states: pd.DataFrame) -> Iterator[str]:
    """Calculator, ligand model, and the notes of the configuration and of the qualification."""
    calculators, models, notes = (
        "; ".join(states[column].dropna().astype(str).unique()) for column in ("calculator", "sample_model", "note")
    )
    yield f"Calculator: {_escaped(calculators) or 'none'}. Ligand model: {_escaped(models) or 'none'}."
    if notes:
        yield f"Caution: {_escaped(notes)}."


def _percent(share: float) -> str:
    """Format a share in percent. Shares that would be rounded to 0 % or 100 % are written as limits."""
    if pd.isna(share):
        return "an unknown share"
    if share < 0.01:
        return "<1 %"
    if share > 0.99:
        return ">99 %"
    return f"{100 * share:.0f} %"


def _first_reason(status: str, step: str) -> str:
    """First of several reasons without the name of the step, shortened to `LONGEST_REASON`."""
    first = re.sub(rf"^({step}: )+", "", status.split(" | ")[0])
    return first if len(first) <= LONGEST_REASON else f"{first[:LONGEST_REASON]}..."


def _with_spaces(name: str) -> str:
    """Name of a step or state without underscores."""
    return _escaped(name.replace("_", " "))


def _escaped(text: str) -> str:
    """Text without special characters of reStructuredText and of Jinja, which Snakemake applies to the page."""
    return re.sub(r"([*`|_\\])", r"\\\1", text).replace("{", "(").replace("}", ")")
