"""GraphSAGE over the item graph, attention over modalities, a factorization machine: the main model."""
