"""Why a user saw an item on a night: `recsys why`."""
