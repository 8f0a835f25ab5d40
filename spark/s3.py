"""What Spark needs for a lake on S3: Hadoop's S3A file system, and where the store is.

Keys come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as delta-rs takes them, so that no setting shows them.
"""

from __future__ import annotations

import os
from pathlib import Path

from recsys_jobs.contracts.errors import JobError
from recsys_jobs.contracts.settings import lake_address

HADOOP, SDK = "3.4.2", "2.29.52"  # the Hadoop inside pyspark 4.1.4, and the SDK its S3A was built with
# S3A's POM asks for the SDK's bundle of every AWS service, half a gigabyte; these are the parts it calls (12 MB).
PACKAGES = [
    f"org.apache.hadoop:hadoop-aws:{HADOOP}",
    *(f"software.amazon.awssdk:{part}:{SDK}" for part in ("s3", "s3-transfer-manager", "sts", "apache-client")),
]
# inside Spark already, but for the bundle
NOT_NEEDED = (
    "software.amazon.awssdk:bundle,org.apache.hadoop:hadoop-client*,org.apache.hadoop:hadoop-common,org.slf4j:*,"
    "io.netty:*,org.apache.httpcomponents:*,commons-logging:*,commons-codec:*,org.wildfly.openssl:*,org.xerial.snappy:*"
)
_DONE = "hadoop-aws.jar-set"  # written last: a folder without it is half a set


def jars(folder: Path) -> list[Path]:
    """S3A's JARs in `folder`/s3 where the lake is on S3, none where it is not; JobError where they are missing."""
    if not lake_address():
        return []
    if not is_installed(folder):
        raise JobError(f"S3A's JARs are not in {folder / 's3'}: run `python -m spark.toolchain --s3`")
    return sorted((folder / "s3").glob("*.jar"))


def install(source: Path, folder: Path) -> None:
    """Copy what Spark's resolver brought into `folder`/s3; JobError where that is not the whole set."""
    fetched = list(source.glob("*.jar"))
    if not all(any(package.split(":")[1] in jar.name for jar in fetched) for package in PACKAGES):
        raise JobError(f"Spark's resolver did not bring {', '.join(PACKAGES)}: see its lines above")
    (folder / "s3").mkdir(parents=True, exist_ok=True)
    for jar in fetched:
        (folder / "s3" / jar.name).write_bytes(jar.read_bytes())
    (folder / "s3" / _DONE).touch()


def is_installed(folder: Path) -> bool:
    """Whether the whole set stands in `folder`/s3."""
    return (folder / "s3" / _DONE).is_file()


def options() -> dict[str, str]:
    """Spark's settings for a lake on S3; none for a lake in a folder.

    `AWS_ENDPOINT_URL` names a store that is not Amazon's, which is asked by path: a bucket is no host name there.
    """
    if not lake_address():
        return {}
    settings = {"spark.hadoop.fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem"}  # one spelling for both engines
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        settings["spark.hadoop.fs.s3a.endpoint"] = endpoint
        settings["spark.hadoop.fs.s3a.path.style.access"] = "true"
        settings["spark.hadoop.fs.s3a.connection.ssl.enabled"] = str(endpoint.startswith("https:")).lower()
    if region := os.environ.get("AWS_REGION"):
        settings["spark.hadoop.fs.s3a.endpoint.region"] = region
    return settings
