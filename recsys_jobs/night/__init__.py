"""The steps of a night, a module each: `python -m recsys_jobs.night.train --run-date D`.

Only command lines and the code of their steps belong here.
"""
