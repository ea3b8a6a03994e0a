"""Runs that outlive their machine: what of them goes to a private repository of the Hub, and how it comes back into an empty home."""
