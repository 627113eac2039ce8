"""Runs a student's notebook apart from its tests.

Two processes a notebook, forked from warm parents that have imported the libraries: the *student*, inside a sandbox,
runs the student's cells; the *judge* holds the tests and calls the student by value. `Engine.run` starts both, watches
them, and says what each test made of it.
"""
