"""The command line: the same functions as the page, in a terminal."""
