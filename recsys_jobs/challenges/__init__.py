"""Other recipes against the one in force: challenges, and the weekly bake-off. A slate is never written here."""
