"""Tables of the report: join the tables of several systems, check columns, and select the rows of one system."""

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from qdsurf.errors import InputError, unknown
from qdsurf.storage.files import read_table


def join_tables(paths: Iterable[Path]) -> pd.DataFrame:
    """Read tables with the same columns and concatenate their rows.

    Parameters
    ----------
    paths : iterable of pathlib.Path
        CSV files, in the order in which their rows appear in the result.

    Returns
    -------
    pandas.DataFrame
        All rows, numbered from zero.
    """
    return pd.concat([read_table(path) for path in paths], ignore_index=True)


def require_columns(table: pd.DataFrame, columns: Iterable[str], name: str) -> None:
    """Raise an error if a table lacks required columns.

    Parameters
    ----------
    table : pandas.DataFrame
        Table to check.
    columns : iterable of str
        Names of the required columns.
    name : str
        Name of the table in the error message.

    Raises
    ------
    InputError
        A column is missing. The message lists the missing columns and the existing ones.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        present = ", ".join(map(str, table.columns)) or "none"
        raise InputError(
            f"table {name}: missing column {', '.join(missing)}. Existing columns: {present}. "
            "Use a table that this version of qdsurf wrote, or add the column."
        )


def rows_of(table: pd.DataFrame, system: str, name: str) -> pd.DataFrame:
    """Select the rows of one system.

    Parameters
    ----------
    table : pandas.DataFrame
        Table with the column `system`.
    system : str
        Name of the system.
    name : str
        Name of the table in the error message.

    Returns
    -------
    pandas.DataFrame
        Rows of the system, at least one.

    Raises
    ------
    InputError
        The table has no rows of this system. The message lists the systems of the table.
    """
    require_columns(table, ["system"], name)
    rows = table[table["system"] == system]
    if rows.empty:
        raise unknown("system", system, table["system"].astype(str).unique(), where=f"table {name}")
    return rows
