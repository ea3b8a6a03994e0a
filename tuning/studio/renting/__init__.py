"""Training on a rented machine, as the studio offers it: what each would take and cost, and runs that are away; `rent` does it."""
