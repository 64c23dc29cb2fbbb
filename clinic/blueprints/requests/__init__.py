"""Asking that somebody gets or gives up a patient, and following what became of it."""
