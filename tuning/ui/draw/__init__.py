"""HTML and SVG of what a page shows: pure functions of values."""
