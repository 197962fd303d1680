"""What can go wrong, named by what the caller does about it.

WireError
├── Malformed     bytes nobody can understand: quarantine them with the reason, count, go on
└── Unavailable   broker, database or port is away: back off with jitter, keep the data, show it

A refusal (no stock, unknown SKU) is an answer and therefore a returned value, never an exception.
Anything else is a bug and ends the process; the outbox and the ledger's dedupe make that safe.
"""


class WireError(Exception):
    """Root of the errors that every Docktally program handles."""


class Malformed(WireError):
    """Bytes or names that cannot be understood; the message says which rule they break."""


class Unavailable(WireError):
    """A neighbour (broker, database, device) cannot be reached now and may be back later."""
