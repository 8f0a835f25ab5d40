"""Pages to look at recommendations: routes over recsys_jobs.pages, behind Airflow's login."""
