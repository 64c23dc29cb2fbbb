"""A patient's whole record on its way out of the clinic, as one zip that is written as it is read (docs/decisions/0048)."""
