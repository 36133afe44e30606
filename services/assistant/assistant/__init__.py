"""An assistant on LangChain 1."""
