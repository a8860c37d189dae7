"""Defaults that the command line, the configuration and the Python interface share."""

CALCULATOR = "sevennet"
# Parameters that define the level of theory. They are added to every record, so that records of equal levels are equal
# and have the same label.
LEVEL_PARAMETERS: dict[str, dict[str, str]] = {"sevennet": {"model": "7net-l3i5", "d3": "PBE"}}
