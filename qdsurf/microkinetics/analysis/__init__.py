"""Analysis: selectivity, uncertainty, rate control, dose, growth and mass balance from integrated coverages."""
