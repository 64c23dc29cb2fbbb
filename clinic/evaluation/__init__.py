"""Evaluations as plain data: forms with criteria and a scale, and how severe each grader is. No Flask, no database."""
