"""Reaction network: species on site families and elementary steps, read from tables or from a mechanism in YAML."""
