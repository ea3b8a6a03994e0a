"""HTML of the way out for results: what can be taken away of a run, and its certificate."""
