"""`recsys why`: what published places are made of."""
