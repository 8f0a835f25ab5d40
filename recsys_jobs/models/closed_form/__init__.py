"""Neighbours, EASE, popularity: what is fitted without epochs."""
