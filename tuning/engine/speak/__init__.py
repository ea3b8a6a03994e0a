"""Answers: chat, answers in batches, and the timeline of a run."""
