"""The circuit breaker."""

from __future__ import annotations

import pytest

from recsys_jobs.images.breaker import Breaker
from recsys_jobs.images.outcome import NoImage


def test_it_opens_after_so_many_failures_in_a_row_and_stays_open() -> None:
    breaker = Breaker(2)
    breaker.record_failure("a:80")
    breaker.check("a:80")
    breaker.record_failure("a:80")
    breaker.record_success("a:80")  # an answer to a request that was already on its way
    with pytest.raises(NoImage, match="host left alone after 2 failures") as caught:
        breaker.check("a:80")
    assert caught.value.state == "unreachable"


def test_an_answer_between_failures_starts_the_count_again() -> None:
    breaker = Breaker(2)
    breaker.record_failure("a:80")
    breaker.record_success("a:80")
    breaker.record_failure("a:80")
    breaker.check("a:80")


def test_servers_are_counted_apart() -> None:
    breaker = Breaker(1)
    breaker.record_failure("a:80")
    breaker.check("a:8080")
    breaker.check("b:80")
