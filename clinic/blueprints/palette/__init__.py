"""The command palette: any page one may open, any patient one may see, by a few letters."""
