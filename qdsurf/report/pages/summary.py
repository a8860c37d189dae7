"""The answer in words: for each system which route wins, how probable that is, and what would change it."""

import math
import re
from collections.abc import Iterator

import pandas as pd

from qdsurf.report.system_names import label_of, require_columns, rows_of
from qdsurf.units import BOLTZMANN_EV_PER_K

SURE = 0.84  # a probability above it is called a win, below it a lean: one standard deviation to one side
NAMED = 3  # energies that are named
# Snakemake centres its first page in the window, and the top of a long one is then out of reach.
FROM_THE_TOP = ".. raw:: html\n\n   <style>.items-center.h-screen{align-items:flex-start}</style>\n"
NEGLIGIBLE = 1e-3  # a degree of control below it changes nothing
RIVALS = ("precursor-surface", "precursor-ligand")
KINDS = {"state": "the state", "step": "the barrier of"}
HEADS = {
    "ligand": "The ligands win",
    "surface": "The crystal wins",
    "leans ligand": "Open, it leans to the ligands",
    "leans surface": "Open, it leans to the crystal",
    "none": "No answer",
}


def write_summary(
    selectivity: pd.DataFrame, control: pd.DataFrame, states: pd.DataFrame, steps: pd.DataFrame, recipe: str
) -> str:
    """Write the page in reStructuredText from the joined tables of a run.

    Parameters
    ----------
    selectivity, control : of the room `kinetics`, all systems.
    states, steps : of the room `energetics`, all systems.
    recipe : its name.

    Raises
    ------
    InputError : a column is missing.
    """
    require_columns(selectivity, ["system", "precursor_surface", "p_ligand_wins", "missing_steps"], "selectivity")
    require_columns(states, ["state", "total_sigma_eV", "calculator", "sample_model", "note"], "states")
    verdicts = [verdict(row) for _, row in selectivity.iterrows()]
    first = selectivity.iloc[0]
    counts = ", ".join(f"{verdicts.count(key)} x {words.lower()}" for key, words in HEADS.items() if key in verdicts)
    lines = [
        FROM_THE_TOP,
        "Which does the precursor attack first, the crystal or the ligands?",
        "=" * 66,
        "",
        f"{len(selectivity)} systems under one cycle of {_plain(recipe)} ({first.temperature_K:g} K, "
        f"{first.pressure_Pa:.3g} Pa of the precursor, {first.time_s:.3g} s): {counts}.",
        "P is the share of the energy samples in which the ligand route is the faster one; a win means "
        f"that its winner has at least {SURE:.0%} of them. Nothing stands in for a number that is missing.",
        "",
    ]
    for key, (_, row) in zip(verdicts, selectivity.iterrows(), strict=True):
        own = {name: rows_of(table, row.system, name) for name, table in (("states", states), ("steps", steps))}
        sentences = (
            *_missing(row, own["steps"], key),
            *(_control(row, control[control["system"] == row.system], **own) if key != "none" else ()),
            *_caution(own["states"]),
        )
        lines += [f"**{_plain(label_of(row.system))}**", "", " ".join((f"*{HEADS[key]}.*", *_shares(row, key))), ""]
        lines += [*(f"- {sentence}" for sentence in sentences), ""]
    return "\n".join(lines)


def verdict(row: pd.Series) -> str:
    """Key of `HEADS` for a row of the selectivity: who wins, and whether that is sure."""
    chance = row.p_ligand_wins
    if pd.isna(chance):
        return "none"
    winner = "ligand" if chance >= 0.5 else "surface"
    return winner if max(chance, 1 - chance) >= SURE else f"leans {winner}"


def _shares(row: pd.Series, key: str) -> Iterator[str]:
    """How probable the answer is, and what happens at the mean energies."""
    if key == "none":
        return
    interval = f"{_percent(row.precursor_ligand_p16)} to {_percent(row.precursor_ligand_p84)}"
    yield (
        f"P is {row.p_ligand_wins:.2f}. At the mean energies {_percent(row.precursor_surface)} of what reacts goes to "
        f"the crystal and {_percent(row.precursor_ligand)} to the ligands (16th to 84th percentile: {interval})."
    )
    if row.ligand_surface > max(row.precursor_surface, row.precursor_ligand):
        yield (
            f"But {_percent(row.ligand_surface)} is ligands that leave by themselves: the two routes compete for the "
            "little that is left, and this surface does not keep its ligands in the model."
        )


def _missing(row: pd.Series, steps: pd.DataFrame, key: str) -> Iterator[str]:
    """Which steps have no number and why, and what that does to the answer."""
    lost = steps[steps["status"] != "ok"]
    if len(lost):
        words = "; ".join(f"{_words(row.step)} ({_plain(_short(row.status, row.step))})" for row in lost.itertuples())
        meaning = "a share cannot be known while its rival is not" if key == "none" else "they could change the answer"
        yield f"Without a number, and {meaning}: {words}."
    absent = [name for name in RIVALS if not (steps["reaction_class"] == name).any()]
    if absent:
        yield f"No step of the class {' or '.join(absent)} applies here."
    elif key == "none" and lost.empty:
        yield "Every step has a number, but neither route takes anything up in any sample."


def _control(row: pd.Series, control: pd.DataFrame, states: pd.DataFrame, steps: pd.DataFrame) -> Iterator[str]:
    """The energies on which the ratio of the routes hangs most, and how far each would have to move to turn it.

    Energies are those of states and barriers; a step without a barrier is a matter of collisions. The distance is
    linear in the degree of control X: lowering an energy by kT ln(surface / ligand) / X makes the fluxes equal.
    """
    sigmas = {
        "state": states.set_index("state")["total_sigma_eV"],
        "step": steps.set_index("step")["activation_sigma_eV"],
    }
    free = steps.loc[steps["barrier_source"] == "none", "step"]
    control = control.assign(size=control["selectivity_control"].abs()).query("size > @NEGLIGIBLE")
    control = control.sort_values("size", ascending=False, kind="stable")
    collisions = (control["kind"] == "step") & control["name"].isin(free)
    if collisions.head(1).any():
        yield "What decides most is how fast the precursor lands and leaves, which no barrier governs."
    energies = control[~collisions].head(NAMED)
    if energies.empty:
        yield "No single energy, moved a little, changes the ratio of the two routes."
        return
    to_even = -BOLTZMANN_EV_PER_K * row.temperature_K * _log_ratio(row) / energies["selectivity_control"]
    parts = [
        f"{KINDS[kind]} {_words(name)} ({_distance(move, sigmas[kind].get(name))}; degree of control {degree:+.2g})"
        for kind, name, degree, move in zip(
            energies["kind"], energies["name"], energies["selectivity_control"], to_even, strict=True
        )
    ]
    yield f"What would change the answer: {'; '.join(parts)}."


def _log_ratio(row: pd.Series) -> float:
    """Logarithm of the ligand route's flux by that of the crystal's; NaN where one of them is zero."""
    if not (row.precursor_ligand > 0 and row.precursor_surface > 0):
        return math.nan
    return math.log(row.precursor_ligand / row.precursor_surface)


def _distance(move: float, sigma: float | None) -> str:
    """Words on how far an energy is from turning the answer, and how well it is known."""
    known = "" if sigma is None or pd.isna(sigma) else f"known to {sigma:.2f} eV"
    even = (
        f"{abs(move):.2f} eV {'lower' if move > 0 else 'higher'} makes the routes equal" if math.isfinite(move) else ""
    )
    return ", ".join(filter(None, (even, known))) or "no distance"


def _caution(states: pd.DataFrame) -> Iterator[str]:
    """What was computed with what, what the configuration warns of, and what the calculator is not fit for."""
    columns = [states[name].dropna().astype(str).unique() for name in ("calculator", "sample_model", "note")]
    used, models, notes = ("; ".join(words) for words in columns)
    yield f"Computed with {_plain(used) or 'no calculator'}; {_plain(models)}."
    if notes:
        yield f"Caution: {_plain(notes)}."


def _percent(share: float) -> str:
    """A share in words; what rounds to nothing is not called zero."""
    if pd.isna(share):
        return "an unknown share"
    return "<1 %" if share < 0.01 else ">99 %" if share > 0.99 else f"{share:.0%}".replace("%", " %")


def _short(reason: str, step: str, longest: int = 160) -> str:
    """The first of several reasons, without the name of its own step, cut where it gets long."""
    first = re.sub(rf"^({step}: )+", "", reason.split(" | ")[0])
    return first if len(first) <= longest else f"{first[:longest]}..."


def _words(name: str) -> str:
    """A step or state by its name, without underscores."""
    return _plain(name.replace("_", " "))


def _plain(text: str) -> str:
    """Text without meaning for reStructuredText, or for the Jinja through which Snakemake sends it."""
    return re.sub(r"([*`|_\\])", r"\\\1", text).replace("{", "(").replace("}", ")")
