"""Errors of qdsurf. Each message says what is wrong and where, what would be accepted, and what to type."""

from collections.abc import Iterable
from difflib import get_close_matches


class QDSurfError(Exception):
    """Base of every error that qdsurf raises on purpose."""


class InputError(QDSurfError, ValueError):
    """A record, configuration, structure file or argument is wrong."""


class BalanceError(QDSurfError, ValueError):
    """Elements or charge do not balance; the message lists the formal charges."""


class BuildError(QDSurfError, ValueError):
    """A requested structure cannot be built."""


class UnsupportedElementError(QDSurfError, ValueError):
    """A calculator has no parameters for an element."""


class CalculationError(QDSurfError, RuntimeError):
    """A calculator failed, after all recovery attempts."""


class KilledError(QDSurfError, RuntimeError):
    """A calculation was ended from outside, by the queue, for lack of memory or by a person."""


FORMER_NAMES = {
    "routine": "default",
    "--stand-in": "--passivating-ion",
    "D1": "lewis_adduct",
    "D2": "hydroxyl",
    "D3": "oxidised_site",
    "D4": "carboxylate",
    "D5": "amine",
    "D6": "insertion",
    "D7": "cation_exchange",
    "D8": "vacancy",
    "D9": "water",
    "D10": "desorption",
    "D11": "ion_exchange",
    "D12": "colloidal_ald",
    "D13": "by_product",
    "D14": "ozone",
    "D15": "oxide_acid",
}
"""Words of version 0.1 that have another name now."""


def unknown(kind: str, name: str, accepted: Iterable[str], where: str = "") -> InputError:
    """Word the error for a name that is not in the library.

    Parameters
    ----------
    kind : what the name should be, such as "material".
    name : what was given.
    accepted : the names that exist.
    where : file and key in which the name stands, if known.
    """
    accepted = sorted(accepted)
    place = f"{where}: " if where else ""
    if FORMER_NAMES.get(name) in accepted:
        return InputError(f"{place}{name!r} is now called {FORMER_NAMES[name]!r}")
    # The commonest slip is a unit left off: `fmax` for `fmax_eV_per_A`.
    close = get_close_matches(name, accepted, n=1) or [a for a in accepted if name and a.startswith(name)]
    hint = f"; did you mean {close[0]!r}?" if close else "."
    return InputError(f"{place}unknown {kind} {name!r}{hint} Accepted: {', '.join(accepted) or 'none'}.")
