"""Network: species, site families and elementary steps, read from tables or from a mechanism file."""
