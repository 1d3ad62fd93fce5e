"""The front door: the public form, the staff queue, the first talk, screening, resting and closing."""
