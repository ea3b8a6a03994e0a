"""Spreadsheets: one reader for each kind of workbook, and what they share once a sheet is rows of texts."""
