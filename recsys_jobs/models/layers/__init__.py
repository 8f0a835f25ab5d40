"""Layers and item features that several families use. No family may enter."""
