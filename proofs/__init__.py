"""Long proofs: each runs what it proves and prints the table that the documentation shows."""
