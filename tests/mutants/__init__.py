"""Adapters broken on purpose, each in one way: the contract must find every one, by the rule that it breaks.

A module here notes its mutants with `registry.breaks`; `registry.MUTANTS` has them all, by topic.
"""
