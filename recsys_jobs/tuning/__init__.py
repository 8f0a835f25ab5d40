"""`recsys tune`: a search over hyperparameters that cannot reach a holdout.

Neither search nor objective may read the lake.
"""
