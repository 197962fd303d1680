"""Shops that sell our stock: what they tell us, and how they hear what is left."""
