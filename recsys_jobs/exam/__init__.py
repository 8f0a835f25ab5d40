"""`recsys exam`: any model on any data set, by a protocol that the output names.

`options` is the command line, `datasets` what one exam needs, `contents` its vectors, `fit_process` a fit in a
process of its own, `run` the whole, `results` what is printed and written. Nothing is published from here.
"""
