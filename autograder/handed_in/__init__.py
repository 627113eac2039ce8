"""What comes in: class folders and zips, whose is what, which notebook it is, when it was handed in.

Names come from students, and files may be anything: all is bounded, nothing is run, and nobody is graded.
"""
