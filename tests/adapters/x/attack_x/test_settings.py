"""Settings that nobody means."""

from __future__ import annotations

from decimal import Decimal

import pytest

from convergekit.adapters.x.budgets.prices import price_list


@pytest.mark.parametrize("price", ["1e999999", "-1", "-0.0001", "NaN", "sNaN", "Infinity", "1000001"])
def test_a_price_that_cannot_be_counted_with_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match=r"post\.read"):
        price_list({"post.read": Decimal(price)})
