"""How curves are looked at."""
