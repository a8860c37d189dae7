"""Equations of elementary steps as written in the column `lattice`: `TMA(g) + free@surface -> adduct@surface`.

- `name@family` is a surface species. The families after the @ are those of the sites that it occupies:
  `bidentate@surface&surface` occupies two sites of one family, and `oleate@ligand&surface` binds to a ligand site and
  covers a surface site.
- `name(g)` is a gas molecule.
- `name(b)` is a solid below the surface, such as the film that has grown. It balances the elements and has activity 1.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from qdsurf.errors import BalanceError, InputError, unknown

REACTION_CLASSES = ("precursor-surface", "precursor-ligand", "ligand-surface")
EXAMPLE = "e.g. 'TMA(g) + free@surface -> adduct@surface'"
_TERM = re.compile(r"(?:(\d+)\s+)?(\S+)")  # an optional count and a name

Side = Literal["left", "right"]


@dataclass(frozen=True, eq=False)
class ParsedStep:
    """One row of the steps table with its parsed equation.

    Attributes
    ----------
    row : pandas.Series
        Row of the steps table.
    left, right : dict of str to int
        Names as written on each side, in the order of writing, with their stoichiometric numbers.
    """

    row: pd.Series
    left: dict[str, int]
    right: dict[str, int]

    def species(self, side: Side) -> dict[str, int]:
        """Surface species of one side with their stoichiometric numbers, in the order of writing."""
        return self._select(side, "@")

    def gases(self, side: Side) -> dict[str, int]:
        """Gas molecules of one side, as for `species`; the names end with (g)."""
        return self._select(side, "(g)")

    def solids(self, side: Side) -> dict[str, int]:
        """Solids of one side, as for `species`; the names end with (b)."""
        return self._select(side, "(b)")

    def _select(self, side: Side, mark: str) -> dict[str, int]:
        counts = self.left if side == "left" else self.right
        return {name: count for name, count in counts.items() if mark in name}


def parse_step(system: str, row: pd.Series, families: Collection[str]) -> ParsedStep:
    """Parse the equation of one step and check its families, its reaction class and its balance of sites.

    Parameters
    ----------
    system : str
        Name of the system, for error messages.
    row : pandas.Series
        One row of the steps table.
    families : collection of str
        Known site families.

    Returns
    -------
    ParsedStep

    Raises
    ------
    InputError
        The equation cannot be parsed, or contains an unknown family or class.
    BalanceError
        The numbers of sites of a family differ between the two sides.
    """
    where = f"{system}, step {row['step']!r}, lattice {row['lattice']!r}"
    sides = str(row["lattice"]).split("->")
    if len(sides) != 2:
        raise InputError(f"{where}: cannot be read; write two sides with '->', {EXAMPLE}.")
    if row["reaction_class"] not in REACTION_CLASSES:
        raise unknown("reaction_class", str(row["reaction_class"]), REACTION_CLASSES, where)
    step = ParsedStep(row, left=parse_side(sides[0], where), right=parse_side(sides[1], where))
    sites_left = _count_sites(step.species("left"), families, where)
    sites_right = _count_sites(step.species("right"), families, where)
    for family in families:
        if sites_left[family] != sites_right[family]:
            raise BalanceError(
                f"{where}: sites of family {family!r} are not conserved, "
                f"{sites_left[family]} on the left and {sites_right[family]} on the right."
            )
    if not sites_left:
        raise InputError(f"{where}: no surface species; reactions in the gas are not part of the network.")
    if sum(step.gases("left").values()) > 1:
        raise InputError(f"{where}: more than one gas molecule adsorbs; split it into elementary steps.")
    return step


def parse_side(text: str, where: str) -> dict[str, int]:
    """Parse one side of an equation.

    Parameters
    ----------
    text : str
        Terms separated by ` + `, each a name with an optional count before it.
    where : str
        Place of the equation, for error messages.

    Returns
    -------
    dict of str to int
        Names in the order of writing, with their stoichiometric numbers.

    Raises
    ------
    InputError
        A term is neither name@family nor name(g) nor name(b).
    """
    side: dict[str, int] = {}
    for term in re.split(r"\s\+\s", text.strip()):
        match = _TERM.fullmatch(term.strip())
        if match is None or ("@" in match[2]) == match[2].endswith(("(g)", "(b)")):
            raise InputError(
                f"{where}: cannot read {term.strip()!r}; write species as name@family, name(g) or name(b)."
            )
        side[match[2]] = side.get(match[2], 0) + int(match[1] or 1)
    return side


def _count_sites(side: dict[str, int], families: Collection[str], where: str) -> Counter[str]:
    """Count the sites of each family that the species of one side occupy."""
    counts: Counter[str] = Counter()
    for name, count in side.items():
        for family in families_of(name):
            if family not in families:
                raise unknown("site family", family, families, where)
            counts[family] += count
    return counts


def families_of(species: str) -> list[str]:
    """Return the families of the sites that a species occupies, one entry per site.

    The first entry is the family to which the coverage of the species refers. `x@ligand&surface` gives
    `["ligand", "surface"]`.
    """
    return species.split("@", 1)[1].split("&")
