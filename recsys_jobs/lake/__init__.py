"""The Delta tables: reads, commits, staging, read-only SQL, versions.

It knows the tables' contracts, and nothing of what the rows mean.
"""
