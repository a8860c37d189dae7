"""Balance of the formal charges of a model."""

from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.errors import BalanceError


def charge_balance(atoms: Atoms) -> str:
    """List the formal charges of a model by part, element and charge.

    Returns
    -------
    str
        For example `substrate Pb 18 x +2 = +36; substrate S 18 x -2 = -36; total +0`, in e. Atoms without formal
        charge are omitted.
    """
    charges = annotation.formal_charges(atoms)
    kinds = list(zip(annotation.parts(atoms), atoms.symbols, charges, strict=True))
    rows = []
    for part, symbol, charge in sorted(set(kinds), key=lambda kind: (kind[0] != SUBSTRATE, kind[0], -kind[2], kind[1])):
        if charge:
            count = kinds.count((part, symbol, charge))
            rows.append(f"{part} {symbol} {count} x {charge:+g} = {count * charge:+g}")
    return "; ".join([*rows, f"total {charges.sum():+g}"])


def assert_neutral(atoms: Atoms) -> None:
    """Raise an error if the formal charges of a model do not add up to zero.

    Raises
    ------
    BalanceError
        The model is charged; the message lists the formal charges.
    """
    if abs(annotation.formal_charges(atoms).sum()) > 1e-9:
        raise BalanceError(
            f"the model is charged: {charge_balance(atoms)}. Models are neutral by default. Passivate the charged "
            "sides, or build a charged model with charged=True (Python) or --allow-charged (command line)."
        )
