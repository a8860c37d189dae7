"""One line of the kinetic lattice: `TMA(g) + free@surface -> adduct@surface`.

What stands behind the @ are the sites that a species occupies, each by its family: `bidentate@surface&surface` takes
two of one family, `oleate@ligand&surface` binds to a ligand site and covers a surface site. `name(g)` is a gas,
`name(b)` a solid below the surface, such as the film that has grown: it balances elements and has activity 1.
"""

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass

import pandas as pd

from qdsurf.errors import BalanceError, InputError, unknown

REACTION_CLASSES = ("precursor-surface", "precursor-ligand", "ligand-surface")
LATTICE_FORM = "e.g. 'TMA(g) + free@surface -> adduct@surface'"
_TERM = re.compile(r"(?:(\d+)\s+)?(\S+)")


@dataclass(frozen=True, eq=False)
class Step:
    """One row of the steps table with its lattice line read; `left` and `right` count names as written."""

    row: pd.Series
    left: Counter
    right: Counter

    def side(self, name: str, phase: str = "@") -> dict[str, int]:
        """Members of one side in the order in which they are written: on the surface @, gases (g) or solids (b)."""
        return {key: count for key, count in getattr(self, name).items() if phase in key}


def parse_step(system: str, row: pd.Series, families: Collection[str]) -> Step:
    """Read the lattice line of one step and check its families, class and site balance.

    Parameters
    ----------
    system : name, for messages.
    row : one row of the steps table.
    families : the known site families.

    Raises
    ------
    InputError
        The line cannot be read, or names an unknown family or class.
    BalanceError
        The sites of a family differ between the two sides.
    """
    where = f"{system}, step {row['step']!r}, lattice {row['lattice']!r}"
    sides = str(row["lattice"]).split("->")
    if len(sides) != 2:
        raise InputError(f"{where}: cannot be read; write two sides with '->', {LATTICE_FORM}.")
    if row["reaction_class"] not in REACTION_CLASSES:
        raise unknown("reaction_class", str(row["reaction_class"]), REACTION_CLASSES, where)
    step = Step(row, *(read_side(side, where) for side in sides))
    counts = {side: _count_sites(step.side(side), families, where) for side in ("left", "right")}
    for family in families:
        if counts["left"][family] != counts["right"][family]:
            raise BalanceError(
                f"{where}: sites of family {family!r} are not conserved, "
                f"{counts['left'][family]} on the left and {counts['right'][family]} on the right."
            )
    if not counts["left"]:
        raise InputError(f"{where}: no surface species; reactions in the gas are not part of the network.")
    if sum(step.side("left", "(g)").values()) > 1:
        raise InputError(f"{where}: more than one gas molecule arrives; split it into elementary steps.")
    return step


def read_side(text: str, where: str) -> Counter:
    """Read one side of a lattice line: names with their counts, in the order in which they are written."""
    side: Counter = Counter()
    for term in re.split(r"\s\+\s", text.strip()):
        match = _TERM.fullmatch(term.strip())
        if match is None or ("@" in match[2]) == match[2].endswith(("(g)", "(b)")):
            raise InputError(
                f"{where}: cannot read {term.strip()!r}; write species as name@family, name(g) or name(b)."
            )
        side[match[2]] += int(match[1] or 1)
    return side


def _count_sites(side: dict[str, int], families: Collection[str], where: str) -> Counter:
    """Count the sites of each family that one side occupies."""
    counts: Counter = Counter()
    for name, count in side.items():
        for family in families_of(name):
            if family not in families:
                raise unknown("site family", family, families, where)
            counts[family] += count
    return counts


def families_of(species: str) -> list[str]:
    """Families of the sites that a species occupies, its own first; `x@ligand&surface` gives ligand and surface."""
    return species.split("@", 1)[1].split("&")
