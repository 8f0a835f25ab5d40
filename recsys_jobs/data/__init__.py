"""Who had what: the dataset in memory, from a lake or from a folder, and what follows from its events.

No model may enter.
"""
