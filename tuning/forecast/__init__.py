"""What will happen: pure arithmetic from choices to a resolved plan. No input, no output, no torch."""
