"""Neural collaborative filtering of ratings."""
