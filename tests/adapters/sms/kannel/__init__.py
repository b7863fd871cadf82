"""A hub and Kannel: messages go out and come in while the network and our endpoint come and go."""
