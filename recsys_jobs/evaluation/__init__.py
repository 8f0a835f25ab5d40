"""What a model's ranking is worth: metrics by user, slices, intervals. No recipe and no lake may enter."""
