"""What people look at: figures drawn from the tables, and pictures of structures.

`figures` holds the plots and `save`, `viewer` draws a structure, `style` says what everything looks like.
"""
