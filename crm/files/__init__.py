"""Files that people hand in: checked, stripped of what they say beside what is seen, and sealed."""
