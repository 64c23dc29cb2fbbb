"""Scoped reads. Every query takes the viewer first: what you may not see cannot be found."""
