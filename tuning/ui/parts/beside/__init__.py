"""The fold of the Chat tab in which an adapter is proven beside its base."""
