"""One file for each tab of the page, each with `build(desk)`."""
