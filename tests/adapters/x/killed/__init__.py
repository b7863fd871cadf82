"""A worker hears mentions and messages by webhook and by polls, and is killed at any moment: each is handled once."""
