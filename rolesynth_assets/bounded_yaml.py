"""Reading of untrusted YAML files, with bounds on their size and depth."""

from __future__ import annotations

from pathlib import Path

import yaml

MAX_BYTES = 2**20  # per file; a role set of 32 roles has some 20 kB
MAX_NODES = 100_000  # per file, counting every use of an alias
MAX_DEPTH = 50
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the former is ten times as fast


class YamlFileError(ValueError):
    """A file cannot be read as YAML; the message gives the reason, without the name of the file."""


def read_yaml(path: Path) -> object:
    """Read a file of plain YAML values.

    Every use of an alias counts, so that a small file cannot expand to billions of values.

    Raises:
        YamlFileError: the file is missing, not a regular file, too large, not YAML, or nests too
            deep.
    """
    try:
        if not path.is_file():  # reading a pipe would wait
            raise YamlFileError("there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise YamlFileError(f"it has more than {MAX_BYTES} bytes")
        text = data.decode("utf-8")
        _refuse_deep(text)
        loader = _Loader(text)
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


def _refuse_deep(text: str) -> None:
    """Refuse what nests too deep before nodes are made of it, which recurses for each level."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise YamlFileError(f"it nests deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _count(node: yaml.Node, known: dict[int, int], depth: int) -> int:
    """Return the number of values that a node expands to; each node is visited once."""
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
        raise YamlFileError(f"it expands to more than {MAX_NODES} values; use fewer aliases")
    known[id(node)] = count
    return count
