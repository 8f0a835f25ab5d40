"""The weekly bake-off: every eligible recipe on one window, the best against the rest, the winner on a later window."""
