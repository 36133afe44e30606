"""An assistant on LangChain 0.3."""
