"""Records: the data of `structures/` as frozen, validated classes, and the library that finds them by name."""
