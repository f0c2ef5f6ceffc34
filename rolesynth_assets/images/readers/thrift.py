"""A reader of Thrift's compact protocol, in which parquet files write their headers and footer."""

from __future__ import annotations

from typing import Any

_MAX_DEPTH = 16


class ThriftError(ValueError):
    """Bytes that are none of the compact protocol."""


class Compact:
    """A reader of values one after the other.

    Attributes:
        position: bytes read so far.
    """

    def __init__(self, data: bytes) -> None:
        """Begin at the first byte of `data`."""
        self.data, self.position = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read a struct and return its fields by their number.

        Args:
            depth: structs and lists around it.

        Raises:
            IndexError: the data end within it.
            ThriftError: it is no struct of the protocol, or nests too deep.
        """
        found: dict[int, Any] = {}
        number = 0
        while kind := self._byte():
            delta, kind = kind >> 4, kind & 15
            number = number + delta if delta else self._zigzag()
            found[number] = None if kind in (1, 2) else self._value(kind, depth)
        return found

    def _byte(self) -> int:
        self.position += 1
        return self.data[self.position - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ThriftError("a header with an endless number")

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _MAX_DEPTH:
            raise ThriftError("a header that nests too deep")
        if kind in (1, 2, 3):
            return self._byte()
        if kind in (4, 5, 6):
            return self._zigzag()
        if kind in (7, 8):
            length = 8 if kind == 7 else self._varint()
            start = self.position
            self.position += length
            if self.position > len(self.data):
                raise IndexError
            return self.data[start : self.position]
        if kind in (9, 10):
            size = self._byte()
            count, inner = size >> 4, size & 15
            count = self._varint() if count == 15 else count
            return [self._value(inner, depth + 1) for _ in range(count)]
        if kind == 12:
            return self.struct(depth + 1)
        raise ThriftError(f"a header with a field of type {kind}")
