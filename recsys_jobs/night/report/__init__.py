"""The report of a night, compared with the nights before it: numbers, plots, and alerts on drift."""
