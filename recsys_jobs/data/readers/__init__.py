"""Data sets of other layouts: one reader a layout, and how a folder's layout is detected.

No protocol and no model may enter.
"""
