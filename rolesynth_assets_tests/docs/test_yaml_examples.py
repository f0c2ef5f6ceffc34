"""Every YAML example of the documents is valid, and together they make a project that loads."""

import re
from functools import cache
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from rolesynth_assets.recipe_files.extended_recipes import EXTENDS
from rolesynth_assets_tests.docs.markdown_pages import PAGES, Page


@cache
def models() -> dict[str, type[BaseModel]]:
    """Return what a YAML file of a project holds, by its name or its folder."""
    from rolesynth_assets.benchmarks.tasks import Task
    from rolesynth_assets.cads.collective.collective import Collective
    from rolesynth_assets.clip.recipe import Recipe
    from rolesynth_assets.r1.benchmarks.definition import R1Benchmark
    from rolesynth_assets.r1.recipe import R1Recipe
    from rolesynth_assets.roles.role_set import RoleSet
    from rolesynth_assets.settings import Settings

    return {
        "rolesynth.yaml": Settings,
        "role_sets": RoleSet,
        "recipes": Recipe,
        "collectives": Collective,
        "benchmarks": Task,
        "r1_recipes": R1Recipe,
        "r1_benchmarks": R1Benchmark,
    }


def yaml_fault(text: str) -> str:
    """Return what is wrong with an example; its first line names the file that it is."""
    named = re.match(r"# (\S+)\n", text)
    kind = named[1].partition("/")[0] if named else ""
    if kind not in models():
        return f"begin the example with `# FILE`, one of {sorted(models())}"
    try:
        content = yaml.safe_load(text)
        if EXTENDS in content:
            return ""  # it is resolved where all examples are loaded as one project
        models()[kind].model_validate(content)
    except (ValidationError, yaml.YAMLError) as error:
        return str(error)
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_yaml_example_is_valid(page: Page) -> None:
    examples = [block for block in page.blocks() if block.language == "yaml"]
    assert not {b.line: found for b in examples if (found := yaml_fault(b.text))}


def test_examples_load_as_one_project(tmp_path: Path) -> None:
    """What an example refers to, such as a role set or a baseline, is shipped or an example too."""
    from rolesynth_assets.benchmarks.tasks import load_tasks
    from rolesynth_assets.cads.collective.collective import load_collectives
    from rolesynth_assets.clip.library import load_recipes, with_role_sets
    from rolesynth_assets.r1.library import load_r1_benchmarks, load_r1_recipes
    from rolesynth_assets.roles.library import load_role_sets
    from rolesynth_assets.settings import SETTINGS_FILE, Settings

    blocks = [b.text for page in PAGES for b in page.blocks() if b.language == "yaml"]
    for text in blocks:
        file = tmp_path / text.split()[1]
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        if file.name == SETTINGS_FILE:
            settings = Settings.load({"ROLESYNTH_PROJECT": str(tmp_path)})
            assert settings.project == tmp_path
    recipes = load_recipes(tmp_path / "recipes")
    with_role_sets(recipes, load_role_sets(tmp_path / "role_sets")).whole()
    loaders = {
        "role_sets": load_role_sets,
        "recipes": load_recipes,
        "benchmarks": load_tasks,
        "collectives": load_collectives,
        "r1_recipes": load_r1_recipes,
        "r1_benchmarks": load_r1_benchmarks,
    }
    for folder, load in loaders.items():
        shown = {path.stem for path in (tmp_path / folder).iterdir()}
        assert shown and shown <= set(load(tmp_path / folder).whole())


@pytest.mark.parametrize("text", ["shard_size: 1\n", "# rolesynth.yaml\nshard_sizes: 1\n"])
def test_a_wrong_example_is_found(text: str) -> None:
    assert yaml_fault(text)
