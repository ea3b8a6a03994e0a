"""The formats themselves: what a row of each looks like, which columns it has, and how it becomes its normal form."""
