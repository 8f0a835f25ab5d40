"""The rules by which a night publishes: the floor, the gate, the log of decisions, which version serves.

Nothing is written to users' tables here.
"""
