"""What an author does: lay a course out, keep the bank, hold the tests to it, release notebooks, make a sample class.

It runs the course's own code, which is trusted; nothing of a student's comes here.
"""
