from pathlib import Path

import pytest

from rolesynth_assets.cads.seeds.domains import domain_files, seeds_digest
from rolesynth_assets.cads.seeds.files import SeedFileError


def write(path: Path, text: str = "{}") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_files_and_folders_of_seeds_are_domains(tmp_path: Path) -> None:
    assert domain_files(tmp_path / "none") == {}
    write(tmp_path / "b.jsonl")
    write(tmp_path / "a" / "part.parquet")
    write(tmp_path / "images" / "1.png")
    write(tmp_path / "notes.txt")
    assert domain_files(tmp_path) == {"a": tmp_path / "a", "b": tmp_path / "b.jsonl"}


def test_a_domain_stands_once_and_its_name_can_be_a_key(tmp_path: Path) -> None:
    write(tmp_path / "a.jsonl")
    write(tmp_path / "a.parquet")
    with pytest.raises(SeedFileError, match="both domain 'a'"):
        domain_files(tmp_path)
    (tmp_path / "a.parquet").rename(tmp_path / "a|b.parquet")
    with pytest.raises(SeedFileError, match="cannot name a domain"):
        domain_files(tmp_path)


@pytest.mark.parametrize("name", ["a...b", "a\nb", "a\tb", "a|b", "a....jsonl"])
def test_a_name_that_no_partition_may_have_is_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / f"{name}.jsonl")
    with pytest.raises(SeedFileError) as caught:
        domain_files(tmp_path)
    assert str(path) in str(caught.value)


def test_the_digest_follows_the_content_and_in_a_folder_the_images(tmp_path: Path) -> None:
    file = write(tmp_path / "b.jsonl")
    before = seeds_digest(file)
    write(file, "{ }")
    assert seeds_digest(file) != before
    folder = write(tmp_path / "a" / "part.jsonl").parent
    image = write(folder / "images" / "1.png", "one")
    before = seeds_digest(folder)
    assert seeds_digest(folder) == before
    write(image, "two")
    assert seeds_digest(folder) != before
