from pathlib import Path

import pytest

from rolesynth_assets.roles.role import PromptTemplates, Role
from rolesynth_assets.store.lance.store import Store

TEMPLATES = PromptTemplates(
    long="You are the {name}. {responsibilities} Write a lot.",
    short="You are the {name}. {responsibilities} Write little.",
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "data")


@pytest.fixture
def roles() -> list[Role]:
    return [
        Role(name=name, responsibilities=duties, templates=TEMPLATES, system="Write captions.")
        for name, duties in (
            ("Observer of Details", "Name each object."),
            ("Interpreter of Context", "Say what is going on."),
            ("Narrative Setter", "Tell the moment."),
        )
    ]
