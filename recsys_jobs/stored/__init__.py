"""What is stored besides tables: vectors by encoder, looked at, made beforehand and dropped."""
