"""Item-to-item models in time: histories fade, recent popularity is a prior."""
