"""Names of slabs and systems: MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR."""

import re
from functools import cache
from typing import NamedTuple

from qdsurf.errors import InputError, unknown
from qdsurf.records import library
from qdsurf.records.miller import parse_miller_index
from qdsurf.records.models import Facet


class System(NamedTuple):
    """One competition: a slab (MATERIAL_HKL_TERMINATION), a ligand (or 'none'), a precursor."""

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
        """Read `MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR`."""
        parts = name.split("~")
        if len(parts) != 3:
            raise InputError(f"system {name!r}: write MATERIAL_HKL_TERMINATION~LIGAND~PRECURSOR")
        return cls(*parts)


@cache
def find_facet(slab: str, where: str = "") -> tuple[str, Facet]:
    """Material name and facet of a slab's name, from the material's record or, for any other plane, made up here.

    Raises
    ------
    InputError : the name has another form. Whether the crystal has such a termination is seen when it is cut.
    """
    match = re.fullmatch(r"(.+?)_([-\d,]+)_(.+)", slab)
    if not match:
        raise InputError(f"{where}{slab!r}: write MATERIAL_HKL_TERMINATION, such as PbS_100_PbS")
    if match[1] not in library.names("materials"):
        raise unknown("material", match[1], library.names("materials"), f"{where}{slab}")
    material = library.material(match[1])
    recorded = {facet.name: facet for facet in material.facets}
    name = f"{match[2]}_{match[3]}"
    return material.name, recorded.get(name) or Facet(
        miller_index=parse_miller_index(match[2], reduced=False), termination=match[3]
    )
