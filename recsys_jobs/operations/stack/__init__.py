"""What the containers run beside Airflow: buckets, secrets, health."""
