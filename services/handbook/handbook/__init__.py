"""Search in a handbook, as a LangChain tool."""
