"""Treatment plans as plain data: in which order items are done, and what an estimate keeps. No database."""
