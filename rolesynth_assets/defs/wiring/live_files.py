"""Files that people edit while the UI runs, read again when one of them has changed."""

from collections.abc import Callable, Hashable, ItemsView, Iterator, KeysView, Mapping, ValuesView
from pathlib import Path
from typing import Any

from rolesynth_assets.yaml_files import Named

Mark = tuple[tuple[str, int, int], ...]


class LiveFiles(Named[Any]):
    """What the files of a folder hold, by name; a look at it first asks whether a file changed.

    Args:
        what: what one of them is, for messages.
        read: reads all of them.
        mark: returns what differs when a file was changed, added or removed.

    Raises:
        Exception: what `read` raises, at any look.
    """

    def __init__(
        self, what: str, read: Callable[[], Mapping[str, Any]], mark: Callable[[], Hashable]
    ) -> None:
        self._what, self._read, self._mark = what, read, mark
        self._seen: Hashable = None
        self._faults: dict[str, Exception] = {}
        super().__init__({}, {})

    @property
    def broken(self) -> dict[str, Exception]:  # type: ignore[override]
        """The error of each file that cannot be used now."""
        self._follow()
        return self._faults

    @broken.setter
    def broken(self, faults: dict[str, Exception]) -> None:
        self._faults = faults

    def __getitem__(self, name: str) -> Any:
        """Return one by name.

        Raises:
            KeyError: its file was removed or renamed; the message says so.
            Exception: the error of its file, if that is broken.
        """
        self._follow()
        return super().__getitem__(name)

    def __missing__(self, name: str) -> Any:
        """Raise what is wrong with a name."""
        raise self._faults.get(name) or KeyError(
            f"there is no {self._what} {name}: its file was removed or renamed, or is not in the "
            f"project; there are {', '.join(self)}"
        )

    def get(self, name: str, default: Any = None) -> Any:
        """Return one by name, or a default."""
        self._follow()
        return super().get(name, default)

    def __contains__(self, name: object) -> bool:
        """Whether there is one of this name."""
        self._follow()
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names there are now."""
        self._follow()
        return super().__iter__()

    def __len__(self) -> int:
        """Count them."""
        self._follow()
        return super().__len__()

    def keys(self) -> KeysView[str]:  # type: ignore[override]
        """Return the names there are now."""
        self._follow()
        return super().keys()

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """Return what the files hold now."""
        self._follow()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """Return names with what the files hold now."""
        self._follow()
        return super().items()

    def _follow(self) -> None:
        now = self._mark()
        if now == self._seen:
            return
        found = self._read()
        held = dict(found.items())
        self._faults = dict(getattr(found, "broken", {}))
        dict.clear(self)
        dict.update(self, held)
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
