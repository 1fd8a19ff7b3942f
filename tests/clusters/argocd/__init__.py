"""A package, and not only a folder, so that what its tests share ends with the last of them, before the rest's."""
