"""What the families we are in touch with see and do themselves."""
