"""Starting structures of one state, or the reason why none could be built."""

from collections.abc import Sequence
from dataclasses import dataclass

from ase import Atoms


@dataclass(frozen=True, eq=False)
class Candidates:
    """Starting structures of one state.

    Attributes
    ----------
    structures : sequence of Atoms
        Structures in the order of preference; empty if none could be built.
    reason : str
        Why there is no structure; empty if there is one.
    """

    structures: Sequence[Atoms]
    reason: str = ""
