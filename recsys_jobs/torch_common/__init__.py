"""What all torch code shares: devices, losses, tensors by name. No data and no model may enter."""
