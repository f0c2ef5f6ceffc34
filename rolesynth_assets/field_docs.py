"""What the source says about the fields of a class: its attribute docstrings and `Attributes:`."""

import ast
import inspect
import re
import textwrap

_ENTRY = re.compile(r"^ {4}(\w+): (.*)$")


def field_docs(model: type) -> dict[str, str]:
    """Return one line for each documented field of a class, by field name."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if owner.__module__.startswith("rolesynth_assets"):
            found |= _attributes(owner.__doc__ or "") | _attribute_docstrings(owner)
    return found


def _attributes(docstring: str) -> dict[str, str]:
    """Read the `Attributes:` section of a Google-style docstring."""
    found: dict[str, str] = {}
    _, _, section = inspect.cleandoc(docstring).partition("Attributes:\n")
    name = ""
    for line in section.splitlines():
        if entry := _ENTRY.match(line):
            name, found[entry[1]] = entry[1], entry[2]
        elif name and line.startswith(" " * 8):
            found[name] += f" {line.strip()}"
        else:
            break
    return found


def _attribute_docstrings(owner: type) -> dict[str, str]:
    """Read the strings that follow annotated fields in the class body."""
    body = ast.parse(textwrap.dedent(inspect.getsource(owner))).body[0]
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, text in zip(body.body, body.body[1:], strict=False):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            found[field.target.id] = " ".join(str(text.value.value).split())
    return found
