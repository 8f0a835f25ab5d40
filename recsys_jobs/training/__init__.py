"""The training loop and what it needs: batches, optimizers, checkpoints, early stopping, the base of recipes.

No network may enter.
"""
