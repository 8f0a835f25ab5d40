"""What keeps nights running: Airflow on this machine, retention, erasure, storage, the stack.

No model is fitted here.
"""
