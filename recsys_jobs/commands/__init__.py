"""`recsys COMMAND`, a module a command, each with NAME, WHAT, MORE, add_arguments and run. Nothing may import it."""
