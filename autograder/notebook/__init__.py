"""A notebook: reading its file, making it from its source, rebuilding a student's from ours, taking a newer version.

Nothing is run here, and nothing is judged.
"""
