"""What a step keeps in memory, found without a card."""
