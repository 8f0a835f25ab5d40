"""The long proofs: what `make prove` runs, and what the documentation's tables come from."""
