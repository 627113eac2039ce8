"""Learning management systems: of each, what it hands out is read and what it takes is written, in one place.

Nothing is opened here and nobody is graded: names come from `autograder.handed_in`, scores from the results.
"""
