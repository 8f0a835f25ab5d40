"""Sample dumps: a small invented shop in the Amazon 2023 format, so that a demo needs nobody's data.

Nothing of the pipeline may enter.
"""
