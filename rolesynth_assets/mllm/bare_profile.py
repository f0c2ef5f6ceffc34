"""Removal of the texts of a colour profile (ICC), which may name a device, a person or a place.

The tags that define colours stay byte for byte at their places. All other bytes become zeros:
texts, private tags, gaps between tags, the date and the names in the header. The length stays the
same.
"""

from __future__ import annotations

import struct

_HEADER_BYTES, _ENTRY_BYTES = 128, 12
_MOST_TAGS = 100
"""Tags of a profile; those of version 4 have about 60 names in all."""
_COLOUR_TAGS = frozenset(
    "rXYZ gXYZ bXYZ rTRC gTRC bTRC kTRC wtpt bkpt lumi chad chrm cicp A2B0 A2B1 A2B2 B2A0 B2A1 "
    "B2A2 B2D0 B2D1 B2D2 B2D3 D2B0 D2B1 D2B2 D2B3 gamt pre0 pre1 pre2 rig0 rig2".split()
)
_NAMES = ((24, 36), (40, 44), (48, 64), (80, 128))
"""Parts of the header that define no colour: date, platform, device, creator, checksum, reserve."""


class OddProfileError(ValueError):
    """The bytes do not have the structure of a colour profile."""


def bare_profile(profile: bytes) -> bytes:
    """Return a profile of the same length with only what defines colours.

    Raises:
        OddProfileError: the bytes are no profile, or a tag lies outside of it.
    """
    if len(profile) < _HEADER_BYTES + 4 or profile[36:40] != b"acsp":
        raise OddProfileError("no colour profile")
    (count,) = struct.unpack_from(">I", profile, _HEADER_BYTES)
    start = _HEADER_BYTES + 4 + count * _ENTRY_BYTES
    if count > _MOST_TAGS or start > len(profile):
        raise OddProfileError("a colour profile whose list of tags is cut off")
    bare = bytearray(len(profile))
    bare[:start] = profile[:start]
    for first, end in _NAMES:
        bare[first:end] = bytes(end - first)
    for n in range(count):
        entry = _HEADER_BYTES + 4 + n * _ENTRY_BYTES
        name, at, length = struct.unpack_from(">4sII", profile, entry)
        if at < start or at + length > len(profile):
            raise OddProfileError("a colour profile with a tag outside of it")
        # an empty text still has its type; a tag of an unknown name has none
        kept = length if name.decode("latin-1") in _COLOUR_TAGS else 0
        if name in (b"desc", b"cprt", b"dmnd", b"dmdd") and length >= 4:
            kept = 4
        bare[at : at + kept] = profile[at : at + kept]
    return bytes(bare)
