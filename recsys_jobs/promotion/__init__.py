"""Which version serves: what nights publish, and what people decide about it (docs/models.md)."""
