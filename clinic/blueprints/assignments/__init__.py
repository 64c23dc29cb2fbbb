"""Who looks after whom: students and what they carry, giving and ending, handing over, graduation and leave."""
