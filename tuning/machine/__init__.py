"""This computer: its processor, memory and cards, the wheels that are installed, and keeping it awake. No torch."""
