"""Printing: `client.print_pdf(html)` asks the renderer, a process of its own that runs Chromium and knows no secret."""
