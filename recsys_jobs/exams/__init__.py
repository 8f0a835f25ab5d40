"""`recsys exam`: any model on any data set, by a protocol that the output names.

`call` is the command line, `sitting` what one exam needs, `vectors` its contents, `one_fit` a fit in a
process of its own, `run` the whole, `results` what is printed and written.
"""
