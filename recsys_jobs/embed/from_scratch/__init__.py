"""Text and image encoders that are trained on a lake's own texts and photos.

No network's weights from outside may enter.
"""
