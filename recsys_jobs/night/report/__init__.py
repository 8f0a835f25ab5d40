"""The report of a night, held against the nights before it: numbers, plots, and what drifted too far."""
