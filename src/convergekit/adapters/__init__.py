"""Our own adapters: one package each, one inner shape, no private door."""
