"""The graph model that is trained on past days and knows which day it is."""
