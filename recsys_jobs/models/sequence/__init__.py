"""Models of histories in order: SASRec, gated attention over contents, GPT-2 with time."""
