"""SevenNet with D3(BJ) dispersion as an ASE calculator."""

from functools import cache

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.data import chemical_symbols
from ase.stress import full_3x3_to_voigt_6_stress

from qdsurf.calculators.cells import has_volume
from qdsurf.calculators.dispersion import Dispersion
from qdsurf.calculators.sevennet.compilation import one_at_a_time
from qdsurf.calculators.sevennet.neighbours import NeighbourList, check_structure, find_edges
from qdsurf.calculators.sevennet.network import Network, Workspace
from qdsurf.calculators.sevennet.weights import MODELS
from qdsurf.errors import CalculationError, InputError, UnsupportedElementError, unknown

DISPERSION = ("PBE", "none")  # the networks were trained on PBE energies
# Energy of an atom relative to the atomic reference energy `shift_eV` of its element. In the reference structures it is
# between -0.9 and 5.3 eV. Compressed matter is far above. Far below are unphysical minima of the networks, where atoms
# overlap.
LOWEST_RELATIVE_EV = -10.0
PRECISIONS = {"single": np.float32, "double": np.float64}


class SevenNet(Calculator):
    """SevenNet (10.1021/acs.jctc.4c00190), evaluated with numba; weights trained on MPtrj (10.1038/s42256-023-00716-3).

    Parameters
    ----------
    model : str, optional
        `7net-l3i5` or `7net-0`.
    d3 : str, optional
        `PBE` adds the dispersion D3(BJ) of that functional (10.1002/jcc.21759), `none` does not.
    threads : int, optional
        Number of threads among which atoms and edges are divided.
    precision : str, optional
        `single`, in which the networks were trained. `double` takes twice the time and is for derivatives by finite
        differences.

    Raises
    ------
    InputError
        A parameter has another value.
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012 (as in ASE)

    def __init__(self, model: str = MODELS[0], d3: str = "PBE", threads: int = 1, precision: str = "single"):
        super().__init__()
        for key, value, accepted in (
            ("model", model, MODELS),
            ("d3", d3, DISPERSION),
            ("precision", precision, PRECISIONS),
        ):
            if value not in accepted:
                raise unknown(f"sevennet {key}", str(value), accepted, f"calculator.parameters.{key}")
        if isinstance(threads, bool) or not isinstance(threads, int) or threads < 1:
            raise InputError(
                f"calculator.parameters.threads: {threads!r} is not a positive integer; give one, such as threads: 1"
            )
        self.network = load_network(model, precision)
        self.species = {number: index for index, number in enumerate(self.network.atomic_numbers.tolist())}
        self.model = model
        self.threads = threads
        self.workspace = Workspace()
        self.dispersion = None if d3 == "none" else Dispersion(d3)

    def calculate(self, atoms: Atoms | None = None, properties=("energy",), system_changes=all_changes) -> None:
        """Compute energy (eV), forces (eV/A) and, in a periodic cell, stress (eV/A^3).

        `energies` (eV) are the contributions of the atoms to the energy of the network. They are given only without D3,
        which is not divided among atoms.

        Raises
        ------
        InputError, CalculationError
            The structure has no energy; see `neighbours`.
        UnsupportedElementError
            The network was not trained on an element.
        """
        super().calculate(atoms, properties, system_changes)
        atoms = self.atoms
        check_structure(atoms)
        if missing := sorted(set(atoms.numbers.tolist()) - self.species.keys()):
            raise UnsupportedElementError(
                f"{self.model} has no parameters for {', '.join(chemical_symbols[number] for number in missing)}"
            )
        species = np.array([self.species[number] for number in atoms.numbers.tolist()])
        edges = find_edges(atoms, self.network.cutoff_A)
        energies, forces, virial = self.network.evaluate(species, edges, self.threads, self.workspace)
        _assert_plausible(atoms, edges, energies - self.network.shift_eV[species])
        energy = energies.sum()
        if has_stress := has_volume(atoms):
            stress = full_3x3_to_voigt_6_stress((virial + virial.T) / 2) / atoms.get_volume()
        if self.dispersion is not None:
            energy += self.dispersion.get_potential_energy(atoms)
            forces = forces + self.dispersion.get_forces(atoms)
            if has_stress:
                stress += self.dispersion.get_stress(atoms)
        self.results = {"energy": float(energy), "free_energy": float(energy), "forces": forces}
        self.results |= {"energies": energies} if self.dispersion is None else {}
        self.results |= {"stress": stress} if has_stress else {}


def _assert_plausible(atoms: Atoms, edges: NeighbourList, relative_eV: np.ndarray) -> None:
    """Refuse energies far below those of real matter, which a network can predict if atoms overlap."""
    lowest = int(np.argmin(relative_eV))
    if relative_eV[lowest] > LOWEST_RELATIVE_EV:
        return
    closest = edges.distances[edges.starts[lowest] : edges.starts[lowest + 1]].min(initial=np.inf)
    raise CalculationError(
        f"the energy of atom {lowest} ({atoms.symbols[lowest]}) is {-relative_eV[lowest]:.0f} eV below its atomic "
        f"reference energy. This happens where atoms overlap: its closest neighbour is at {closest:.2f} A. Separate "
        "the atoms, or check the cell and pbc"
    )


@cache
def load_network(model: str, precision: str) -> Network:
    """Load a network once per process, and compile its loops if this machine has not compiled them before."""
    network = Network(model, PRECISIONS[precision])
    with one_at_a_time():
        network.evaluate(np.array([0, 0]), find_edges(Atoms("H2", [[0, 0, 0], [0, 0, 1]]), network.cutoff_A))
    return network
