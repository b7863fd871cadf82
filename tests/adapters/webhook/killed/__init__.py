"""One hub sends webhooks, another takes them in, both are killed at any moment: each message is handled once."""
