"""Files into records, told by their content."""
