"""Tables of the report, joined over systems."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from qdsurf.storage.files import read_table


def join_tables(paths: Iterable[Path]) -> pd.DataFrame:
    """Put tables of the same columns under one another, in the order given."""
    return pd.concat([read_table(path) for path in paths], ignore_index=True)
