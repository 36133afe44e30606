"""A tool that answers questions about data in SQL, and can change nothing."""
