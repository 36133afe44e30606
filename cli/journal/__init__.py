"""`firebreak journal`: what happened, read from the record that the gateway keeps."""
