"""qdsurf: does an ALD precursor react first with a quantum dot or with its ligands?

The functions of `qdsurf.api` are offered here and loaded when they are used:

>>> import qdsurf
>>> atoms = qdsurf.ligate(qdsurf.slab("PbS", "100", layers=2, supercell=(3, 2)), "acetate")
>>> len(qdsurf.place(atoms, "TMA"))
1
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qdsurf.api import (
        ReactionMatch,
        RelaxationResult,
        SaddleResult,
        Site,
        energy,
        find_saddle,
        kinetics,
        ligate,
        nanocrystal,
        place,
        reactions,
        read,
        relax,
        show,
        sites,
        slab,
        write,
    )

__version__ = "0.1.0"
__all__ = [
    "ReactionMatch",
    "RelaxationResult",
    "SaddleResult",
    "Site",
    "energy",
    "find_saddle",
    "kinetics",
    "ligate",
    "nanocrystal",
    "place",
    "reactions",
    "read",
    "relax",
    "show",
    "sites",
    "slab",
    "write",
]


def __getattr__(name: str):
    if name not in __all__:
        raise AttributeError(f"module 'qdsurf' has no attribute {name!r}")
    from qdsurf import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
