"""Saddle points: initial paths between two states, eigenvector following, and verification of the result."""
