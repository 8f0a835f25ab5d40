"""Encoders from scratch (seed 4): a DistilBERT with a tokenizer of its own and a ResNet-50, trained by us.

`boundary` says which content they may see, `corpus` collects it, `words` and `text` make the text encoder,
`photos` the image encoder, `encoders` finds them or makes them, and names them to the rest as local folders.
"""
