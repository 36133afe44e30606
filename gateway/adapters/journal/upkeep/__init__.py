"""What goes in time, and what goes at a person's wish."""
