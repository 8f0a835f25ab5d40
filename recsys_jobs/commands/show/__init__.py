"""A person's slate with titles and pictures."""
