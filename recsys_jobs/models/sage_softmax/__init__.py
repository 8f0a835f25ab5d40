"""The graph model under a softmax over the whole catalogue."""
