"""Studies: many variants of the training protocol on one grid, and what they say together."""
