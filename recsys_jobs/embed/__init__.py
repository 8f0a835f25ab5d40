"""Vectors of item texts, reviews and images: one row of `embeddings` per encoder and content, made once.

A vector is a function of encoder and content only. `registry` says which encoder a name stands for,
`needed` which contents a night uses, `text`, `image` and `static` encode, `store` writes and reads vectors. No
dataset and no model of users may enter.
"""
