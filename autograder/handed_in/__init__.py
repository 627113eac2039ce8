"""What comes in: class folders and zips, whose is what, which notebook it is."""
