"""Annotated structures: part of the model, bonds and formal charge of every atom."""
