"""What an author does: lay a course out, release it, keep the bank, hold the tests to it."""
