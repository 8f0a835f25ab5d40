r"""What identifiers and hashes look like, in a spelling that Java's and Python's regular expressions share.

`(?![\s\S])` is the end of the value; `$` would let a line break pass behind it.
"""

ID = r"^[A-Za-z0-9_\-]{1,64}(?![\s\S])"  # no dots, no separators: an item's id becomes a file's name
USER = r"^#?[A-Za-z0-9_\-]{1,64}(?![\s\S])"
HASH = r"^[0-9a-f]{64}(?![\s\S])"  # sha256
