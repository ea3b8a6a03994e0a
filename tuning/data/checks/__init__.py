"""What is wrong with rows, and what can be done about it."""
