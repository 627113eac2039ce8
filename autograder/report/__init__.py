"""Pages and tables for people: a class's report, a student's feedback, and what `check` shows in a terminal.

Nothing is judged here. Whatever a student could have written (names, notes, messages, code) is shown as text, never as
markup, and a page asks nothing of the network.
"""
