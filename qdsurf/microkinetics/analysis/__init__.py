"""Analysis of a trajectory: selectivity, uptake, losses, rate control, dose, process window and their uncertainty."""
