"""Plans of treatment: options, items, estimates, acceptance."""
