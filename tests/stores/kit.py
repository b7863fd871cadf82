"""What the tests of a store put into it: the kit of the contract."""

from convergekit.testing.store._kit import *  # noqa: F403
