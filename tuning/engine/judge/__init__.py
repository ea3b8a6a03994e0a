"""What a run has learned: base against tuned."""
