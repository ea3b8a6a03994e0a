"""By what others than the owner's browser come in to a studio."""
