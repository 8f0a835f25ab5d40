"""Sparse linear regression from an item's neighbours, for catalogues whose Gram matrix no longer fits."""
