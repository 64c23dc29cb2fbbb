"""The dental chart on the screen: the mouth, the ways to write on it, one tooth for itself."""
