"""Scores into slates: full ranking, search, diversity, overlap. A model is known by its contract alone."""
