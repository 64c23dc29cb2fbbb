"""Documents before they are stored and after: what the bytes are, whether they are clean, what they look like. No Flask, no database."""
