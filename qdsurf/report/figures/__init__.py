"""Figures: tables in, a matplotlib figure out."""
