"""A table as a page, complete in itself, that sorts by a click on a column and filters by words."""

import json
from pathlib import Path
from string import Template

import pandas as pd

from qdsurf.storage.files import write_atomically

PAGE = Path(__file__).with_name("table.html")


def write_table_page(title: str, table: pd.DataFrame, path: Path) -> None:
    """Write the page; a number that is missing is a dash and is sorted to the end."""
    rows = table.astype(object).where(table.notna(), None).to_numpy().tolist()
    write_atomically(
        path,
        Template(PAGE.read_text()).substitute(title=title, columns=script_json(list(table)), rows=script_json(rows)),
    )


def script_json(data: object) -> str:
    """JSON for a script; a text such as </script> would end it."""
    return json.dumps(data, allow_nan=False).replace("<", "\\u003c")
