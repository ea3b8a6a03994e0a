"""Answers that somebody puts right: kept as rows, and learned by a run that goes on from the one that gave them."""
