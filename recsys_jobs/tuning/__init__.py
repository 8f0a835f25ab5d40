"""A search over a recipe's hyperparameters by validation; what reads a holdout may not enter, but for `confirm`."""
