"""From a call that ended to a row that is committed."""
