"""Tables of the report: joined over systems, written whole."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from qdsurf.structure_io import write_atomically


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as CSV; numbers keep ten significant digits, missing ones stay empty."""
    write_atomically(path, table.to_csv(index=False, float_format="%.10g"))


def join_tables(paths: Iterable[Path]) -> pd.DataFrame:
    """Put tables of the same columns under one another, in the order given."""
    return pd.concat([pd.read_csv(path) for path in paths], ignore_index=True)
