"""What odd but honest inputs say: lines into objects, fields into values, markup into text. Standard library only."""
