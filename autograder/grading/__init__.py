"""A class, from what was handed in to typed results: `grade.grade_class` is the whole way, and each step a file.

Students' code is not run here (that is `autograder.engine`), and nothing is laid out for people to read (`report`).
"""
