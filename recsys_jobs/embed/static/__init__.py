"""A text encoder for machines without a GPU: a vector for each token, distilled from a model once, and their mean."""
