"""Coverage of a slab with several kinds of ligands."""

from collections.abc import Sequence

from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.point_sampling import Pattern
from qdsurf.errors import InputError
from qdsurf.ligands.slab_ligands import attach_ligands
from qdsurf.records.models import Ligand


def attach_mixture(
    slab: Atoms,
    shares: Sequence[tuple[Ligand, float]],
    count: int,
    truncate_to_carbons: int | None = None,
    pattern: Pattern = "uniform",
    seed: int | None = None,
) -> Atoms:
    """Cover a slab with several kinds of ligands, the most numerous kind first.

    Each kind has the first of its binding modes that fits.

    Parameters
    ----------
    slab : Atoms
        Annotated slab.
    shares : sequence of tuple of Ligand and float
        Ligands and their fractions. The fractions are scaled to a sum of 1, and the closest integers are used.
    count : int
        Number of ligands in the cell, all kinds together.
    truncate_to_carbons : int, optional
        Number of carbon atoms of each chain; None keeps the full chains.
    pattern : {"uniform", "random", "clustered"}
        Distribution of the ligands, see `choose_places`.
    seed : int, optional
        Seed of the distribution.

    Returns
    -------
    Atoms
        Covered slab. `info["ligand"]` states the number of each kind, and `info["ligand_entry"]` how the most numerous
        kind binds.

    Raises
    ------
    InputError
        A fraction is negative, all fractions are 0, or a ligand cannot bind to these ions.
    BuildError
        No binding mode of a ligand fits.
    """
    total = sum(share for _, share in shares)
    if not total > 0 or any(share < 0 for _, share in shares):
        given = ", ".join(f"{ligand.name}={share:g}" for ligand, share in shares)
        raise InputError(
            "the fractions of a mixture must not be negative, and at least one must be above 0; this mixture has "
            f"{given or 'no ligands'}"
        )
    exact = [count * share / total for _, share in shares]
    numbers = [int(number) for number in exact]
    # The ligands with the largest remainders fill the total up.
    by_remainder = sorted(range(len(shares)), key=lambda k: numbers[k] - exact[k])
    for k in by_remainder[: count - sum(numbers)]:
        numbers[k] += 1
    order = [k for k in sorted(range(len(shares)), key=lambda k: -numbers[k]) if numbers[k]]
    covered = slab
    entries = []
    for k in order:
        own_seed = None if seed is None else seed + k
        covered = attach_ligands(covered, shares[k][0], numbers[k], truncate_to_carbons, None, pattern, own_seed)[0]
        entries.append(annotation.noted(covered, "ligand_entry"))
    words = " + ".join(f"{numbers[k]} {shares[k][0].name}" for k in order)
    annotation.note(covered, ligand=words, ligand_entry=entries[0])
    return covered
