"""Weighted sums of other recipes' standardised scores."""
