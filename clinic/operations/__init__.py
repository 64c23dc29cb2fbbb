"""Writes: verbs with keyword arguments and an `actor`. Lock, check, change, audit, nudge, flush; never commit."""
