# The job image: the jobs, Airflow, MLflow and Spark, in the versions of constraints.txt.
# EXTRA=gpu takes faiss-gpu in place of faiss-cpu; torch from the index brings its CUDA libraries with either.
FROM python:3.11-slim-bookworm

ARG EXTRA=cpu
RUN apt-get update \
 && apt-get install --yes --no-install-recommends openjdk-17-jre-headless procps libgomp1 \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home recsys

WORKDIR /opt/recsys
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=/opt/recsys RECSYS_JARS=/opt/recsys-jars
COPY pyproject.toml constraints.txt README.md ./
COPY recsys_jobs recsys_jobs
COPY spark spark
COPY expectations expectations
COPY plugins plugins
COPY dags dags
RUN pip install --no-cache-dir --constraint constraints.txt uv \
 && uv pip install --system --no-cache --compile-bytecode --constraint constraints.txt --editable ".[$EXTRA,stack]" \
 && python -m spark.toolchain --s3 \
 && mkdir -p var && chown -R recsys var /opt/recsys-jars

USER recsys
CMD ["recsys", "--help"]
