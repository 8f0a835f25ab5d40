"""What the gate decided becomes what users read: serving fit, slates, audit, one commit a table, aliases."""
