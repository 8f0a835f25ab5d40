"""What every room and every engine agrees on: tables, settings, errors, locks. The standard library alone may enter."""
