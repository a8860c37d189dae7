"""Annotated structures: what every atom belongs to, what is bonded, which charges it carries."""
