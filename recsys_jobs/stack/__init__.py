"""What the containers of docker-compose.yml need beside the jobs: secrets, buckets, Airflow's first start, health."""
