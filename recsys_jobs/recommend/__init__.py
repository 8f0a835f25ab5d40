"""Recommendations outside the nights: for a history that somebody wrote down."""
