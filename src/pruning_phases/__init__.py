"""Phases and scaling laws of randomly pruned neural networks."""
