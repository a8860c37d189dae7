"""Pages of the report.

`summary` states the answer for each system in words (reStructuredText). `qualification` reports the tests of a
calculator for one material (Markdown). `table_page` shows a table that can be sorted and filtered, and `viewer` shows
structures that can be rotated (HTML, without network).
"""
