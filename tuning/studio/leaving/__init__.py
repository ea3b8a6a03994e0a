"""The studio's way out for results, and back: what is on offer of a run, what is being made, was made, or was pulled from the Hub."""
