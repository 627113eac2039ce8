"""A notebook: its file, its source, rebuilding it from ours, taking a newer version."""
