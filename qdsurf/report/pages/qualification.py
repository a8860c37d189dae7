"""Page on the qualification of a calculator for one material, and the table of all qualifications."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd

from qdsurf.records.models import CalculatorSpec

NOT_RUN = "not run"
CRITERIA_COLUMNS = ["calculator", "material", "question", "fit", "found"]


def qualification_page(data: Mapping[str, Any]) -> str:
    """Write the qualification of one calculator for one material as a page.

    Parameters
    ----------
    data : mapping
        Result of `qdsurf.qualification.measurements.qualify`.

    Returns
    -------
    str
        Page in Markdown: for each use whether the calculator is fit for it, and the results of the tests.
    """
    lines = [
        f"# {_calculator_label(data)} for {data['material']}",
        "",
        *_markdown_table(("use", "fit", "decided by"), _use_rows(data)),
        "",
        f"With `substrate: auto` the substrate is {data['substrate']}.",
        "",
        *_markdown_table(("test", "result"), _test_rows(data)),
        "",
        f"{data['force_calls']} force calls, {data['wall_s']:.0f} s.",
    ]
    return "\n".join(lines) + "\n"


def criteria_table(qualifications: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Tabulate the qualifications of all calculators for all materials.

    Parameters
    ----------
    qualifications : iterable of mapping
        Results of `qdsurf.qualification.measurements.qualify`.

    Returns
    -------
    pandas.DataFrame
        Columns `CRITERIA_COLUMNS`. For each qualification there is one row for each use, with `fit` yes or no, and one
        row for each test, with an empty `fit`.
    """
    rows: list[tuple[str, str, str, str, str]] = []
    for data in qualifications:
        calculator, material = _calculator_label(data), data["material"]
        rows += [(calculator, material, use, fit, reason) for use, fit, reason in _use_rows(data)]
        rows += [(calculator, material, test, "", found) for test, found in _test_rows(data)]
    return pd.DataFrame(rows, columns=CRITERIA_COLUMNS)


def _calculator_label(data: Mapping[str, Any]) -> str:
    return CalculatorSpec(name=data["calculator"]["name"], parameters=data["calculator"]["parameters"]).label


def _use_rows(data: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Each use, whether the calculator is fit for it (yes or no), and the result that decided."""
    return [
        (use.replace("_", " "), "yes" if criterion["fit"] else "no", criterion["reason"])
        for use, criterion in data["uses"].items()
    ]


def _markdown_table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    for row in (header, ("---",) * len(header), *rows):
        yield f"| {' | '.join(row)} |"


def _test_rows(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each test and its result in words."""
    yield "lattice constant", data["lattice_constant"]
    yield "bulk modulus", _bulk_modulus(data)
    for key, name in (("stability", "rattled slab"), ("bulk_stability", "rattled bulk")):
        yield name, data[key]["reason"] if key in data else NOT_RUN
    yield "surface energies, as cut", _surface_energies(data)
    scf = data["scf"]
    yield "SCF", f"{scf['failed']} of {scf['calls']} calls failed or jumped, {scf['rescued']} converged after a rescue"
    yield "reference reactions", _reference_reactions(data.get("reactions"))


def _bulk_modulus(data: Mapping[str, Any]) -> str:
    computed, experiment = data["bulk_modulus_GPa"], data.get("bulk_modulus_experiment_GPa")
    text = "no number" if computed is None else f"{computed:.0f} GPa"
    return f"{text}, {experiment:.0f} GPa from experiment" if experiment else text


def _surface_energies(data: Mapping[str, Any]) -> str:
    """Surface energies of all facets, and whether their order agrees with the literature."""
    if "facets" not in data:
        return NOT_RUN
    agreement = {None: "", True: "; the order is that of the literature", False: "; the literature has another order"}
    facets = ", ".join(map(_surface_energy, data["facets"])) or "none of its facets can be tested alone"
    return facets + agreement[data["facet_order_agrees"]]


def _surface_energy(row: Mapping[str, Any]) -> str:
    facet = row["facet"].replace("_", " ")
    computed, literature = row["surface_energy_J_per_m2"], row["literature_J_per_m2"]
    if computed is None:
        return f"{facet} SCF failed"
    comparison = f" (literature {literature:.2f})" if literature else ""
    return f"{facet} {computed:.2f}{comparison} J/m2"


def _reference_reactions(reactions: Mapping[str, Any] | None) -> str:
    """Number of reference reactions of each metal, and their mean absolute errors."""
    if reactions is None:
        return NOT_RUN
    counts = ", ".join(f"{metal} {number}" for metal, number in reactions["by_metal"].items())
    if not reactions["number"]:
        return f"none ({counts})"
    raw, corrected = reactions["mae_raw_eV"], reactions["mae_left_out_eV"]
    return f"{counts}; mean absolute error {raw:.2f} eV, {corrected:.2f} eV where left out and corrected"
