"""Names with wildcards, so that one line of a configuration selects many records."""

import re
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase, translate

from qdsurf.errors import unknown

WILDCARDS = set("*?[")  # of a shell: any characters, one character, one of a set


def matching_names(word: str, accepted: Callable[[], Iterable[str]], kind: str, where: str) -> list[str]:
    """Names that match a word with wildcards; a word without wildcards is returned unchanged.

    Parameters
    ----------
    word : str
        A name, or a pattern with `*`, `?` or `[abc]` as in a shell.
    accepted : callable
        Returns all names; it is called only if the word has a wildcard.
    kind : str
        What the names are, such as "ligand", for the error message.
    where : str
        File and key of the word, for the error message.

    Returns
    -------
    list of str
        Names in the order of `accepted`.

    Raises
    ------
    InputError
        No name matches the pattern.
    """
    if not set(word) & WILDCARDS:
        return [word]
    names = list(accepted())
    found = [name for name in names if fnmatchcase(name, word)]
    if not found:
        raise unknown(kind, word, names, where)
    return found


def any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    """Compile patterns with wildcards into one regular expression.

    Parameters
    ----------
    patterns : iterable of str
        Patterns with `*`, `?` or `[abc]` as in a shell.

    Returns
    -------
    re.Pattern
        Expression that matches every string that one of the patterns matches; without patterns it matches nothing.
    """
    matches_nothing = r"(?!)"
    return re.compile("|".join(map(translate, patterns)) or matches_nothing)
