"""Qualification of a calculator: tests on a crystal, criteria, and reference energies."""
