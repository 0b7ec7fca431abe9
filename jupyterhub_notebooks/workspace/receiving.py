"""Bodies of HTTP answers into memory that is there."""

from __future__ import annotations

import http.client


def received(answer: http.client.HTTPResponse, length: int, room: memoryview) -> memoryview:
    """The whole body, of length bytes, as the beginning of room. Raises HTTPException where it is cut off, OSError."""
    got = 0
    while got < length:
        more = answer.readinto(room[got:length])
        if not more:
            raise http.client.IncompleteRead(b"", length - got)
        got += more
    return room[:length]
