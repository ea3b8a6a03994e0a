"""Rows of a file that are not yet rows to learn from, regrouped before any format sees them: `ways.found` tells which way."""
