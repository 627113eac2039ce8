"""Stands in for SciPy in the page, where a notebook needs two functions of it: the whole is thirteen megabytes."""
