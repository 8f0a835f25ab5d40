"""`recsys recommend`: slates for people of a data set, of the lake, or for a plain history file."""
