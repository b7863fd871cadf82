"""One revision for each version of the tables. They only add; there is no way back but a backup."""
