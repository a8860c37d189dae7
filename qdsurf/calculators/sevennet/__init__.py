"""SevenNet, an equivariant message-passing potential, evaluated with NumPy and numba instead of torch."""
