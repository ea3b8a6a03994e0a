"""Parts of tabs that are a file of their own."""
