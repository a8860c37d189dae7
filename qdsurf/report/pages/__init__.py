"""Pages: the answer in words, tables that can be sorted, structures that can be turned."""
