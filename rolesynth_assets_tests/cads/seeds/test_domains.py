from pathlib import Path

import dagster as dg
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


def test_two_files_of_a_domain_and_odd_names_stop_no_other_domain(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = write(tmp_path / "good.jsonl")
    for name in ("a.jsonl", "a.parquet", "geometry (1).jsonl", "._geometry.jsonl", ".x/1.jsonl"):
        write(tmp_path / name)
    found = domain_files(tmp_path)
    assert found == {"good": good}
    assert found.keys_of_all() == ["a", "geometry_1", "good"]
    with pytest.raises(SeedFileError, match="both domain 'a'"):
        found.require(["a"])
    with pytest.raises(SeedFileError, match=r"geometry \(1\).*cannot name a domain"):
        found.require(["geometry_1"])
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("name", ["a...b", "a\nb", "a\tb", "a|b", "a....jsonl", "(", "ü"])
def test_a_name_that_no_partition_may_have_is_named(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / f"{name}.jsonl")
    found = domain_files(tmp_path)
    (error,) = found.broken.values()
    assert str(path) in str(error)
    dg.StaticPartitionsDefinition(found.keys_of_all())  # takes the key


def test_a_later_folder_wins(tmp_path: Path) -> None:
    write(tmp_path / "shipped" / "a.jsonl")
    own = write(tmp_path / "own" / "a.parquet")
    assert domain_files(tmp_path / "shipped", tmp_path / "own") == {"a": own}


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
