"""Elementary steps of a precursor on a surface: matching of reaction templates, adsorption poses and products."""
