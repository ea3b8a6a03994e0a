"""Which model, on this machine: the catalog, local folders, and the hardware. No torch."""
