"""`recsys COMMAND`, a module a command: arguments and calls. Nothing may import it."""
