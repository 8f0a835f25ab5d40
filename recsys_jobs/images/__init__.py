"""Images: from files and URLs to a store of small JPEGs that the image encoder can trust.

No encoder may enter.
"""
