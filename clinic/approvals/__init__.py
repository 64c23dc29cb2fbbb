"""What waits for somebody's approval: one inbox for every kind of it. A new kind is a module here; it needs no new screen."""
