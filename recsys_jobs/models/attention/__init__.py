"""Attention over a user's and an item's tokens, with a contrast of vision and text."""
