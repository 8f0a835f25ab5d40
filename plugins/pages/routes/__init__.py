"""The routes, one module a page: read a request, ask recsys_jobs.pages, render a template."""
