"""nbgrader's side: its configuration, its gradebook, and its exporters.

What runs notebooks inside nbgrader's own commands stands above all rooms, beside ours: `autograder.plugin`.
"""
