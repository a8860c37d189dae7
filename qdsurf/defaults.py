"""Defaults that the command line, the configuration and the Python interface share."""

CALCULATOR = "sevennet"
# Parameters that define the level of theory. They are added to every record, so that records of equal levels are equal
# and have the same label.
LEVEL_PARAMETERS: dict[str, dict[str, str]] = {"sevennet": {"model": "7net-l3i5", "d3": "PBE"}}

VACUUM_A = 20.0  # along the normal of a slab
MOBILE_LAYERS = 1  # outermost layers of a slab that may move
PASSIVATION = "Cl"  # anion that balances a polar side
SITE = "surface.anion"  # on which a precursor is placed
FMAX_EV_PER_A = 0.05  # largest force on a free atom of a relaxed structure
MAX_STEPS = 200  # of a relaxation
