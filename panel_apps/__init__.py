"""Insight dashboards: Panel applications behind the session of the web pages, a folder an application."""
