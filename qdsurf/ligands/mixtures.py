"""Several kinds of ligands on one surface."""

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
    """Cover a slab with several ligands, each in its first binding mode that fits, the most numerous first.

    Parameters
    ----------
    shares : ligands and their fractions, which are scaled to add up to 1; the numbers nearest to them are taken.
    count : ligands in the cell, all kinds together.

    Returns
    -------
    Covered slab; `info["ligand"]` names the numbers, `info["ligand_entry"]` is that of the most numerous.

    Raises
    ------
    InputError, BuildError : as `attach_ligands`.
    """
    total = sum(share for _, share in shares)
    if not total > 0 or any(share < 0 for _, share in shares):
        raise InputError("the fractions of a mixture must not be negative, and one must be above 0")
    exact = [count * share / total for _, share in shares]
    whole = [int(number) for number in exact]
    for k in sorted(range(len(shares)), key=lambda k: whole[k] - exact[k])[: count - sum(whole)]:
        whole[k] += 1
    order = sorted(range(len(shares)), key=lambda k: -whole[k])
    covered, entries = slab, []
    for k in order:
        if whole[k]:
            own = None if seed is None else seed + k
            covered = attach_ligands(covered, shares[k][0], whole[k], truncate_to_carbons, None, pattern, own)[0]
            entries.append(annotation.noted(covered, "ligand_entry"))
    words = " + ".join(f"{whole[k]} {shares[k][0].name}" for k in order if whole[k])
    annotation.note(covered, ligand=words, ligand_entry=entries[0])
    return covered
