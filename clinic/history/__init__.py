"""History forms as data: what is asked, how an answer is read, and what an answer means. Plain: no Flask, no database."""
