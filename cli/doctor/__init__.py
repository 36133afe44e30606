"""`firebreak doctor`: which promises hold, which do not, and what to do."""
