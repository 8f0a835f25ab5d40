"""Reads odd but honest inputs: lines into objects, fields into values, markup into text.

The standard library alone may enter.
"""
