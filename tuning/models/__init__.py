"""Which model: the catalog, what a model's folder says of it, and whether it may be trained. No torch, and no asking the Hub (`hub`)."""
