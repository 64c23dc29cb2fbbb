"""Clinical notes as plain data: what was signed, to the letter, what has changed between two signings, and what templates fill in."""
