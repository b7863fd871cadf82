"""For `pytest examples`: a distribution of its own brings its own tests and its own settings."""

collect_ignore = ["irc"]
