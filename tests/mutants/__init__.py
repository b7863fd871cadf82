"""Adapters broken on purpose, each in one way: the contract must find every one, by the rule that it breaks."""
