"""One page on what a calculator is fit for, and the numbers behind it."""

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from qdsurf.records.models import CalculatorSpec

NOT_RUN = "not run"
VERDICT_COLUMNS = ["calculator", "material", "question", "fit", "found"]


def qualification_page(data: Mapping) -> str:
    """Write the page in Markdown from the plain data of `qualify`."""
    lines = [
        f"# {_name(data)} for {data['material']}",
        "",
        *_table(("use", "fit", "decided by"), _verdicts(data)),
        "",
        f"With `substrate: auto` the substrate is {data['substrate']}.",
        "",
        *_table(("test", "result"), _rows(data)),
        "",
        f"{data['force_calls']} force calls, {data['wall_s']:.0f} s.",
    ]
    return "\n".join(lines) + "\n"


def criteria_table(qualifications: Iterable[Mapping]) -> pd.DataFrame:
    """Put the verdicts and what the tests found under one another, for all calculators and materials."""
    rows = [
        (_name(data), data["material"], *row)
        for data in qualifications
        for row in (*_verdicts(data), *((test, "", found) for test, found in _rows(data)))
    ]
    return pd.DataFrame(rows, columns=VERDICT_COLUMNS)


def _name(data: Mapping) -> str:
    return CalculatorSpec(name=data["calculator"]["name"], parameters=data["calculator"]["parameters"]).label


def _verdicts(data: Mapping) -> list[tuple[str, str, str]]:
    return [(use.replace("_", " "), "yes" if v["fit"] else "no", v["reason"]) for use, v in data["uses"].items()]


def _table(header: tuple[str, ...], rows) -> Iterator[str]:
    for row in (header, ["---"] * len(header), *rows):
        yield f"| {' | '.join(row)} |"


def _rows(data: Mapping) -> Iterator[tuple[str, str]]:
    yield "lattice constant", data["lattice_constant"]
    yield "bulk modulus", _bulk_modulus(data)
    for key, name in (("stability", "shaken slab"), ("bulk_stability", "shaken bulk")):
        yield name, data[key]["reason"] if key in data else NOT_RUN
    yield "surface energies, as cut", _facets(data)
    scf = data["scf"]
    yield "SCF", f"{scf['failed']} of {scf['calls']} calls failed or jumped, {scf['rescued']} converged after a rescue"
    yield "reference reactions", _reactions(data.get("reactions"))


def _bulk_modulus(data: Mapping) -> str:
    found, known = data["bulk_modulus_GPa"], data.get("bulk_modulus_experiment_GPa")
    words = "no number" if found is None else f"{found:.0f} GPa"
    return f"{words}, {known:.0f} GPa from experiment" if known else words


def _facets(data: Mapping) -> str:
    if "facets" not in data:
        return NOT_RUN
    order = {None: "", True: "; the order is that of the literature", False: "; the literature has another order"}
    words = ", ".join(map(_facet, data["facets"])) or "none of its facets can be tested alone"
    return words + order[data["facet_order_agrees"]]


def _facet(row: Mapping) -> str:
    value, known = row["surface_energy_J_per_m2"], row["literature_J_per_m2"]
    number = "SCF failed" if value is None else f"{value:.2f}{f' (literature {known:.2f})' if known else ''} J/m2"
    return f"{row['facet'].replace('_', ' ')} {number}"


def _reactions(reactions: Mapping | None) -> str:
    if reactions is None:
        return NOT_RUN
    counts = ", ".join(f"{metal} {number}" for metal, number in reactions["by_metal"].items())
    if not reactions["number"]:
        return f"none ({counts})"
    raw, corrected = reactions["mae_raw_eV"], reactions["mae_left_out_eV"]
    return f"{counts}; mean absolute error {raw:.2f} eV, {corrected:.2f} eV where left out and corrected"
