"""Data sets for the exam: one reader a layout, and how a folder's layout is recognised."""
