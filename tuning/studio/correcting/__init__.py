"""What somebody puts right: answers, kept as rows and learned by a run that goes on from the one that gave them; and rows of data."""
