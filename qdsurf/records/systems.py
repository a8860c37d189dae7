"""Names of slabs and systems: MATERIAL_HKL_TERMINATION and MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR."""

import re
from functools import cache
from typing import NamedTuple

from qdsurf.errors import InputError, unknown
from qdsurf.records import library
from qdsurf.records.miller import parse_miller_index
from qdsurf.records.models import Facet


class System(NamedTuple):
    """A slab, a ligand and a precursor whose reactions compete.

    Attributes
    ----------
    slab : str
        Name of the slab, MATERIAL_HKL_TERMINATION.
    ligand : str
        Name of the ligand; 'none' for a bare slab.
    precursor : str
        Name of the precursor.
    """

    slab: str
    ligand: str
    precursor: str

    def __str__(self) -> str:
        return "~".join(self)

    @property
    def ligated(self) -> str:
        """Name of the covered surface, without the precursor."""
        return f"{self.slab}~{self.ligand}"

    @classmethod
    def parse(cls, name: str) -> "System":
        """Read the name of a system.

        Parameters
        ----------
        name : str
            MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR.

        Returns
        -------
        System
            The system.

        Raises
        ------
        InputError
            The name does not have three parts.
        """
        parts = name.split("~")
        if len(parts) != 3:
            raise InputError(f"system {name!r}: write MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR")
        return cls(*parts)


@cache
def find_facet(slab: str, where: str = "") -> tuple[str, Facet]:
    """Return the material and the facet of a slab.

    Parameters
    ----------
    slab : str
        Name of the slab, MATERIAL_HKL_TERMINATION.
    where : str, optional
        Source of the name, as a prefix of the error message.

    Returns
    -------
    material : str
        Name of the material.
    facet : Facet
        Facet of the record of the material. If the record does not have the facet, a new one without further data.

    Raises
    ------
    InputError
        The name has another form, or the material or the Miller index is invalid. Whether the crystal has such a
        termination is not checked here.
    """
    match = re.fullmatch(r"(.+?)_([-\d,]+)_(.+)", slab)
    if not match:
        raise InputError(f"{where}{slab!r}: write MATERIAL_HKL_TERMINATION, such as PbS_100_PbS")
    material_name, index, termination = match.groups()
    if material_name not in library.names("materials"):
        raise unknown("material", material_name, library.names("materials"), f"{where}{slab}")
    material = library.material(material_name)
    recorded = {facet.name: facet for facet in material.facets}
    facet = recorded.get(f"{index}_{termination}")
    if facet is None:
        facet = Facet(miller_index=parse_miller_index(index, reduced=False), termination=termination)
    return material.name, facet
