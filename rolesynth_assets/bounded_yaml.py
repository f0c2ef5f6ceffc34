"""YAML that a user or a stranger wrote, read within bounds."""

from __future__ import annotations

from pathlib import Path

import yaml

MAX_BYTES = 2**20  # of a file; a role set of 32 roles has some 20 kB
MAX_NODES = 100_000  # of a file, each use of an alias counted
MAX_DEPTH = 50


class YamlFileError(ValueError):
    """A file cannot be read as YAML; the message says why, without the file's name."""


def read_yaml(path: Path) -> object:
    """Read a file of plain YAML values.

    Aliases count as often as they are used, so that a small file cannot name billions of values.

    Raises:
        YamlFileError: it is missing, no regular file, too large, no YAML, or nests too deep.
    """
    try:
        if not path.is_file():  # a pipe would be waited for
            raise YamlFileError("there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise YamlFileError(f"it has more than {MAX_BYTES} bytes")
        loader = yaml.SafeLoader(data.decode("utf-8"))
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _count(node, {}, 0)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except RecursionError:
        raise YamlFileError(f"it nests deeper than {MAX_DEPTH} levels") from None
    except (OSError, yaml.YAMLError, ValueError) as error:  # a date of month 13 is a ValueError
        if isinstance(error, YamlFileError):
            raise
        raise YamlFileError(str(error)) from error


def _count(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Return how many values a node stands for; each node is looked at once."""
    if depth > MAX_DEPTH:
        raise YamlFileError(f"it nests deeper than {MAX_DEPTH} levels, or contains itself")
    if id(node) in known:
        return known[id(node)]
    count = 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            count += _count(key, known, depth + 1) + _count(value, known, depth + 1)
    elif isinstance(node, yaml.SequenceNode):
        count += sum(_count(item, known, depth + 1) for item in node.value)
    if count > MAX_NODES:
        raise YamlFileError(f"it stands for more than {MAX_NODES} values; use fewer aliases")
    known[id(node)] = count
    return count
