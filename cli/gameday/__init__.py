"""The game day: every fault of the list is caused for real, beside healthy neighbours under load, and judged."""
