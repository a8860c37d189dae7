"""The ledger of formal charges that every model must close."""

from ase import Atoms

from qdsurf.atomistic import annotation
from qdsurf.atomistic.annotation import SUBSTRATE
from qdsurf.errors import BalanceError


def charge_balance(atoms: Atoms) -> str:
    """Formal charges by kind of atom, such as `Pb 18 x +2 = +36; S 18 x -2 = -36; total +0`."""
    rows = []
    charges = annotation.formal_charges(atoms)
    keys = list(zip(annotation.parts(atoms), atoms.symbols, charges, strict=True))
    for role, symbol, charge in sorted(set(keys), key=lambda key: (key[0] != SUBSTRATE, key[0], -key[2], key[1])):
        if charge:
            count = keys.count((role, symbol, charge))
            rows.append(f"{role} {symbol} {count} x {charge:+g} = {count * charge:+g}")
    return "; ".join([*rows, f"total {charges.sum():+g}"])


def assert_neutral(atoms: Atoms) -> None:
    """Refuse a model whose formal charges do not add up to zero.

    Raises
    ------
    BalanceError : lists the formal charges.
    """
    if abs(annotation.formal_charges(atoms).sum()) > 1e-9:
        raise BalanceError(
            f"the model is charged: {charge_balance(atoms)}. "
            "Passivate it, or ask for a charged model by name (charged=True, --allow-charged)."
        )
