"""Elementary steps of a precursor on a surface: where a template applies, its products, and the state they are in."""
