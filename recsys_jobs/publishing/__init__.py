"""Publishes what the gate decided: serving fit, slates, audit, one commit a table, aliases."""
