"""What odd but honest inputs say: lines into objects, fields into values, markup into text.

The standard library alone may enter.
"""
