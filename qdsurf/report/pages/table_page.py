"""Page with a table that can be sorted by column and filtered by words. It needs no network and no other file."""

import json
from pathlib import Path
from string import Template

import pandas as pd

from qdsurf.storage.files import write_atomically

PAGE = Path(__file__).with_name("table.html")


def write_table_page(title: str, table: pd.DataFrame, path: Path) -> None:
    """Write a table as a page.

    Parameters
    ----------
    title : str
        Title of the page.
    table : pandas.DataFrame
        Table. Missing values are shown as a dash and sorted to the end.
    path : pathlib.Path
        HTML file to write.
    """
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    page = Template(PAGE.read_text()).substitute(title=title, columns=script_json(list(table)), rows=script_json(rows))
    write_atomically(path, page)


def script_json(data: object) -> str:
    """Write data as JSON for use inside a script of a page.

    Parameters
    ----------
    data : object
        Data without NaN.

    Returns
    -------
    str
        JSON in which `<` is escaped, because a text such as </script> would end the script.
    """
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")
