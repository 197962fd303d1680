"""Owns the stock: takes events from the broker, keeps the ledger, tells everyone."""
