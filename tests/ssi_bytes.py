"""Packets as an SSI decoder sends them, made without help of the code under test."""


def packet(data: bytes, *, opcode: int = 0xF3, status: int = 0, source: int = 0) -> bytes:
    """Return the bytes of one packet; status 1 is a repetition, 2 says that more follows."""
    body = bytes((4 + len(data), opcode, source, status)) + data
    return body + (-sum(body) & 0xFFFF).to_bytes(2, "big")


def broken(data: bytes, **more: int) -> bytes:
    """Return a packet with a wrong checksum."""
    whole = packet(data, **more)
    return whole[:-1] + bytes((whole[-1] ^ 0xFF,))
