"""Measurements, run by hand: each prints a ratio against a baseline of the same run, interleaved, with medians."""
