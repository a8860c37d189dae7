"""Names with wildcards, so that a few lines of a configuration ask for a whole screen."""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase, translate

from qdsurf.errors import unknown


def spell_out(word: str, accepted: Callable[[], Iterable[str]], kind: str, where: str) -> list[str]:
    """Names that a word asks for: itself or, where it has a wildcard (`*`, `?`, `[abc]` as in a shell), all that match.

    Parameters
    ----------
    accepted : gives the names on record; asked only where there is a wildcard.
    kind, where : for the message, such as "ligand" and the key.

    Raises
    ------
    InputError : a pattern matches nothing.
    """
    if not set(word) & set("*?["):
        return [word]
    names = list(accepted())
    found = [name for name in names if fnmatchcase(name, word)]
    if not found:
        raise unknown(kind, word, names, where)
    return found


def any_of(patterns: Iterable[str]) -> re.Pattern:
    """One expression that matches whatever any of the patterns matches; of none, nothing."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)")
