"""A short-lived child process with limits of memory, time and size: every hostile input goes through it."""
