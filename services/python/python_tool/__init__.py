"""A LangChain tool that runs Python code."""
