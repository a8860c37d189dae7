"""Report of a run: figures, pages, and the tables and names that they share.

`figures` contains one module for each figure. `pages` contains the pages in words and the interactive pages. `tables`
joins tables and selects the rows of one system. `system_names` writes the name of a system with chemical formulas.
"""
