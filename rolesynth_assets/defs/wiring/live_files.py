"""Files that people edit while the UI runs, read again when one of them has changed."""

from collections import UserDict
from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
Mark = tuple[tuple[str, int, int], ...]


class LiveFiles(UserDict[str, T]):
    """What the files of a folder hold, by name; a look at it first asks whether a file changed.

    Args:
        what: what one of them is, for messages.
        read: reads all of them.
        mark: returns what differs when a file was changed, added or removed.

    Raises:
        Exception: what `read` raises for a file that cannot be used, at any look.
    """

    def __init__(
        self, what: str, read: Callable[[], Mapping[str, T]], mark: Callable[[], Hashable]
    ) -> None:
        super().__init__()
        self._what, self._read, self._mark = what, read, mark
        self._seen: Hashable = None

    def __getitem__(self, key: str) -> T:
        """Return one by name.

        Raises:
            KeyError: its file was removed or renamed; the message says so.
        """
        self._follow()
        if key not in self.data:
            raise KeyError(
                f"there is no {self._what} {key}: its file was removed or renamed, or is not in "
                f"the project; there are {', '.join(self.data)}"
            )
        return self.data[key]

    def __contains__(self, key: object) -> bool:
        """Whether there is one of this name."""
        self._follow()
        return key in self.data

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names there are now."""
        self._follow()
        return iter(self.data)

    def __len__(self) -> int:
        """Count them."""
        self._follow()
        return len(self.data)

    def _follow(self) -> None:
        now = self._mark()
        if now != self._seen:
            self.data = dict(self._read())
            self._seen = now


def marked(*folders: Path) -> Callable[[], Mark]:
    """Return a function that gives another value when a file below these folders has changed."""

    def mark() -> Mark:
        found = (path for folder in folders for path in folder.glob("*"))
        return tuple(sorted(_state(path) for path in found))

    return mark


def _state(path: Path) -> tuple[str, int, int]:
    try:
        now = path.stat()
    except OSError:  # it was removed a moment ago
        return str(path), 0, 0
    return str(path), now.st_mtime_ns, now.st_size
