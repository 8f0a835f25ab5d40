"""The Spark side of the nightly recommender: ingestion and snapshots, DataFrame in, DataFrame out."""
