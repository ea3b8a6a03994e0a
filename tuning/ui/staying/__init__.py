"""What of a page is there again when it is loaded anew or in the other language: the tab, the turned settings, the name of the run."""
