"""The web page: rendered here, updated by server-sent events, without anything from elsewhere."""
