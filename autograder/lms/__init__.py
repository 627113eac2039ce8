"""What Canvas and Moodle take."""
