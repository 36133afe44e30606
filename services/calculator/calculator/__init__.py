"""An exact calculator as a LangChain tool."""
