"""The parts of the Chat tab: whom one talks to and how, what was said, and the conversations that are kept."""
