"""Make the S3 store's buckets, where they are not there yet."""

from __future__ import annotations

import argparse
import os
import time

from recsys_jobs.contracts.errors import JobError, run_main

_TRIES, _PAUSE = 20, 1.0  # a store that answers may still have no volume to write to; seconds


def ensure(names: list[str]) -> list[str]:
    """Make the missing buckets; return their names. JobError where the store will not."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    client = boto3.client("s3", endpoint_url=os.environ.get("AWS_ENDPOINT_URL"))
    for tries_left in reversed(range(_TRIES)):
        try:
            created = [name for name in names if _make(client, name)]
        except (BotoCoreError, ClientError) as error:
            if not tries_left:
                raise JobError(f"no bucket could be made: {error}") from None
            time.sleep(_PAUSE)
        else:
            break
    return created


def _make(client, name: str) -> bool:  # type: ignore[no-untyped-def]  # boto3 makes its classes when it runs
    try:
        client.create_bucket(Bucket=name)
    except (client.exceptions.BucketAlreadyOwnedByYou, client.exceptions.BucketAlreadyExists):
        return False
    return True


def main() -> None:
    """Make the named buckets."""
    parser = argparse.ArgumentParser(prog="python -m recsys_jobs.operations.stack.buckets", description=__doc__)
    parser.add_argument("name", nargs="+")
    names = parser.parse_args().name
    created = ensure(names)
    print(f"buckets {', '.join(names)}: {', '.join(created) or 'none'} made")


if __name__ == "__main__":
    run_main(main)
