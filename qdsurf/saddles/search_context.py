"""What all parts of a saddle search share: the two minima, the energy surface, the limits."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from ase import Atoms

from qdsurf.saddles.energy_surface import Surface


class Search(NamedTuple):
    """What all parts of a saddle search share; `calls` counts force calls, `telling` marks state-defining bonds."""

    ends: Sequence[Atoms]
    surface: Surface
    fmax: float
    max_calls: int
    calls: Counter
    telling: np.ndarray
