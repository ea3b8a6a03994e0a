"""Rows as a model sees them: template, labels, lengths, and the audit of them before a run."""

from tuning import settings

settings.keep_silent()
