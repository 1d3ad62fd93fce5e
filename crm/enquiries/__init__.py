"""The front door: the public form, the staff queue, the first talk, screening, and the ways an enquiry rests or ends."""
