"""The studio's way out for results: what is on offer of a run, what is being made, and what was made. How is `export`'s affair."""
