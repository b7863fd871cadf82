"""A worker with an SMS channel is killed with signal 9 while it sends, and while it is called."""
