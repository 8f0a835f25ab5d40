"""What fitted models of several families are: vectors, item-to-item weights. No network and no family may enter."""
