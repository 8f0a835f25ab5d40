"""A night, a backfill and the pages through a local Airflow."""
