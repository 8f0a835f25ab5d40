"""What the pages show: reads of the lake by partition and key, as plain records; no HTML and no request in here."""
