"""The pages to look at recommendations, in Airflow's navigation and on its API server.

Airflow imports this file in each of its processes, the tasks' too: the first request imports what the pages need.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

PREFIX = "/recommendations"


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """The pages as an ASGI application."""
    from plugins.pages.app import application

    await application()(scope, receive, send)


class RecommendationsPlugin(AirflowPlugin):
    """A page of its own rather than a frame in Airflow's, whose sandbox forbids a link to a run to leave it."""

    name = "recommendations"
    fastapi_apps = [{"name": name, "app": pages, "url_prefix": PREFIX}]
    external_views = [
        {
            "name": "Recommendations",
            "href": f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}{PREFIX}/",
            "destination": "nav",
            "nav_top_level": True,
        }
    ]
