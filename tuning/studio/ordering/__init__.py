"""Orders and recipes as files: read, held against what a mode allows, and written."""
