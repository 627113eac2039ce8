"""A class, from what was handed in to rows and files."""
