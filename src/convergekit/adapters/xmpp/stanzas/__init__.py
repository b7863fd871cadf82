"""XML from and to the model: pure, by the standard library's elements, without a network."""
