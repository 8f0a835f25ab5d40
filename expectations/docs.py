"""Where gates leave their reports: results of every night as JSON and HTML under `var/data_docs`.

The Great Expectations context lives in memory, so that nights and tasks at the same time share no
configuration file; only results and pages are on disk, and the pages are written by one process at a time.
"""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys_jobs.contracts.settings import var_dir

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationSuiteValidationResult
    from great_expectations.data_context import AbstractDataContext

_SITE = "gates"


def docs_dir() -> Path:
    """The folder of the data docs; `index.html` lists the results."""
    return var_dir() / "data_docs"


def open_context() -> AbstractDataContext:
    """The process's Great Expectations context for the present `docs_dir()`."""
    return _context(docs_dir())


@cache
def _context(folder: Path) -> AbstractDataContext:
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(),
        data_docs_sites={_SITE: _site(folder)},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    config.stores["validation_results_store"]["store_backend"] = _files(folder / "results")
    return gx.get_context(project_config=config, mode="ephemeral")


def _files(folder: Path) -> dict[str, Any]:
    return {"module_name": "expectations.atomic_files", "class_name": "AtomicFileStore", "base_directory": str(folder)}


def _site(folder: Path) -> dict[str, Any]:
    """A site of results alone, with pages of our own."""
    results = {
        "renderer": {"module_name": "expectations.pages", "class_name": "EscapedResults"},
        "view": {"module_name": "expectations.pages", "class_name": "SelfContainedPage"},
    }
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": _files(folder),
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "site_section_builders": {"validations": results, "expectations": "None", "profiling": "None"},
    }


def publish(result: ExpectationSuiteValidationResult, run_date: date) -> Path:
    """Keep `result` as the date's newest of its suite, render its page and the index; return the page."""
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    from expectations.atomic_files import write_atomically
    from expectations.pages import index

    context = open_context()
    run = RunIdentifier(run_name=run_date.isoformat(), run_time=datetime.now(UTC))
    result.meta |= {"run_id": run, "validation_time": run.run_time}
    suite = ExpectationSuiteIdentifier(name=result.suite_name)
    key = ValidationResultIdentifier(suite, run, result.batch_id)
    with _exclusive_lock(docs_dir()):
        context.validation_results_store.store_validation_results(result, key)
        context.build_data_docs(site_names=[_SITE], resource_identifiers=[key], build_index=False)
        write_atomically(docs_dir() / "index.html", index(docs_dir()).encode(), docs_dir())
    (site,) = context.get_docs_sites_urls(resource_identifier=key, site_names=[_SITE])
    return Path(str(site["site_url"]).removeprefix("file://"))


@contextmanager
def _exclusive_lock(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: tasks of one night end at the same time and write the same index."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
