"""LightGCN, and matrix factorization by BPR, which is LightGCN of no layers."""
