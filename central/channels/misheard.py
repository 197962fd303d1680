"""What a shop said, signed, that nobody could understand: kept with its bytes, and told of."""

import hashlib

from sqlalchemy import insert

from central import schema
from central.alerts import Concern
from central.channel_config import Channel
from central.writer import Transaction

KIND = "malformed_message"


def keep(tx: Transaction, channel: Channel, topic: str, body: bytes, reason: str) -> bool:
    """Put a message into quarantine and open an alert about it; False when it is there already.

    The shop is not asked to send it again: it would send the same, and end by sending nothing.
    """
    digest = hashlib.blake2b(body, digest_size=8).hexdigest()
    ref = f"hooks/{channel.name}/{digest}"
    if tx.books.watch.is_open(KIND, ref):
        return False
    tx.connection.execute(
        insert(schema.quarantine).values(
            topic=f"hooks/{channel.name}", payload=body, reason=reason, received_us=tx.now_us
        )
    )
    tx.books.raise_alert(
        Concern(
            "malformed_message",
            ref,
            "critical",
            f"{channel.name} said something that nobody understands{f' ({topic})' * bool(topic)}",
            f"{reason}. Nothing was done. Its bytes are in quarantine; look into the order in the "
            "shop, and book by hand what it asks for.",
            channel.site,
        )
    )
    return True
