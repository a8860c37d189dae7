"""Defaults that the command line, the configuration and the Python interface share."""

CALCULATOR = "sevennet"
# Parameters that are part of a level of theory. They are written out in every record, so that two records of one level
# are equal and tables name it in full.
LEVEL_PARAMETERS: dict[str, dict[str, str]] = {"sevennet": {"model": "7net-l3i5", "d3": "PBE"}}
