"""Filled by routes.py."""
