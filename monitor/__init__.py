"""The live screen over stock, docks and alerts. It only listens; it never writes to the ledger."""
