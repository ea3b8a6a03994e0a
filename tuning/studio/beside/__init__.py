"""What proves an adapter beside its base: its strengths, who answers better, and questions of one's own."""
