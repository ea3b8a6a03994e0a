"""Records into messages: one class for each form of row."""
