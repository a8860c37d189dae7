"""Free energies, errors, states and steps. Tables in, tables out."""
