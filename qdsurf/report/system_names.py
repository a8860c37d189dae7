"""Names of systems, split into their parts and written with chemical formulas."""

import re
from dataclasses import dataclass

from qdsurf.errors import InputError

_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def formula(text: str) -> str:
    """Write the integers of a chemical formula as subscripts.

    Parameters
    ----------
    text : str
        Chemical formula. Fractions such as those of an alloy remain unchanged.

    Returns
    -------
    str
        Formula with subscripts.

    Examples
    --------
    >>> formula("CsPbBr3"), formula("Cd0.5Zn0.5S")
    ('CsPbBr₃', 'Cd0.5Zn0.5S')
    """
    return re.sub(r"(?<=[A-Za-z)])\d+(?![\d.])", lambda match: match[0].translate(_SUBSCRIPTS), text)


@dataclass(frozen=True)
class SystemName:
    """Parts of the name `material_facet_termination~ligand~precursor`."""

    material: str
    facet: str
    termination: str
    ligand: str
    precursor: str

    @property
    def surface(self) -> str:
        """Material and facet, such as PbS(100), and the termination unless it is the formula of the crystal."""
        plane = f"{formula(self.material)}({self.facet})"
        return plane if self.termination == self.material else f"{plane} {formula(self.termination)}"

    @property
    def label(self) -> str:
        """Surface, ligand and precursor in one line."""
        return f"{self.surface}  {self.ligand.replace('_', ' ')}  {self.precursor}"


def parse_system(system: str) -> SystemName:
    """Split the name of a system into its parts.

    Parameters
    ----------
    system : str
        Name of the form `material_facet_termination~ligand~precursor`.

    Returns
    -------
    SystemName
        Material, facet, termination, ligand and precursor.

    Raises
    ------
    InputError
        The name has a different form.
    """
    parts = system.split("~")
    surface = parts[0].rsplit("_", 2)
    if len(parts) != 3 or len(surface) != 3 or not all([*parts, *surface]):
        raise InputError(
            f"system {system!r} does not have the form material_facet_termination~ligand~precursor. "
            "Write a name such as PbS_111_Pb~oleate~TMA."
        )
    return SystemName(*surface, *parts[1:])


def system_label(system: str) -> str:
    """Write the name of a system as a label of one line.

    Parameters
    ----------
    system : str
        Name of a system.

    Returns
    -------
    str
        Surface, ligand and precursor. A name without exactly two `~`, such as that of a mechanism of the user, remains
        unchanged.

    Raises
    ------
    InputError
        The name has two `~` but not the form `material_facet_termination~ligand~precursor`.
    """
    return parse_system(system).label if system.count("~") == 2 else system
