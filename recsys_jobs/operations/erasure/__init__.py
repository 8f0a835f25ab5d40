"""`recsys forget USER`: removes a reviewer from tables, file versions, slates, models and pages."""
