"""Names of systems in words, and the rows of a table that belong to one system."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import pandas as pd

from qdsurf.errors import InputError, unknown

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def formula(text: str) -> str:
    """Set the counts of a chemical formula as subscripts; fractions stay as they are.

    Examples
    --------
    >>> formula("CsPbBr3"), formula("Cd0.5Zn0.5S")
    ('CsPbBr₃', 'Cd0.5Zn0.5S')
    """
    return re.sub(r"(?<=[A-Za-z)])\d+(?![\d.])", lambda match: match[0].translate(_SUBSCRIPTS), text)


@dataclass(frozen=True)
class SystemName:
    """The parts of `material_facet_termination~ligand~precursor`."""

    material: str
    facet: str
    termination: str
    ligand: str
    precursor: str

    @property
    def surface(self) -> str:
        """Material and facet, such as PbS(100); the termination only where it is not the whole crystal's formula."""
        plane = f"{formula(self.material)}({self.facet})"
        return plane if self.termination == self.material else f"{plane} {formula(self.termination)}"

    @property
    def label(self) -> str:
        """Surface, ligand and precursor in one line."""
        return f"{self.surface}  {self.ligand.replace('_', ' ')}  {self.precursor}"


def parse_system(system: str) -> SystemName:
    """Take the name of a system apart.

    Raises
    ------
    InputError : the name does not have the form material_facet_termination~ligand~precursor.
    """
    parts = system.split("~")
    surface = parts[0].rsplit("_", 2)
    if len(parts) != 3 or len(surface) != 3 or not all([*parts, *surface]):
        raise InputError(
            f"system {system!r} is not of the form material_facet_termination~ligand~precursor, "
            "such as PbS_111_Pb~oleate~TMA."
        )
    return SystemName(*surface, *parts[1:])


def label_of(system: str) -> str:
    """One line for a system: its parts in words where the name has that form, else the name as it is."""
    return parse_system(system).label if system.count("~") == 2 else system


def require_columns(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Refuse a table that lacks columns.

    Raises
    ------
    InputError : with the columns that are missing and those that are there.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        present = ", ".join(map(str, table.columns)) or "none"
        raise InputError(f"{name}: missing column {', '.join(missing)}; the table has {present}.")


def rows_of(table: pd.DataFrame, system: str, name: str) -> pd.DataFrame:
    """Rows of a table that belong to one system.

    Raises
    ------
    InputError : the table has no such system; the message lists those it has.
    """
    require_columns(table, ["system"], name)
    rows = table[table["system"] == system]
    if rows.empty:
        raise unknown("system", system, table["system"].astype(str).unique(), where=name)
    return rows
