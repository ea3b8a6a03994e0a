"""Sartoria: fine-tune an open language model from a browser or a terminal.

A typed spec becomes a folder on disk, one engine works on it, and every view reads it. Nothing is imported here.
"""

__version__ = "0.2.0"
