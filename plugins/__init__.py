"""What Airflow loads beside the DAGs: the job operator and the links it shows."""
