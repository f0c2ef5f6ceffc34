"""Seeds of the embedded world as files that CADS reads."""

from pathlib import Path

from rolesynth_assets.cads.seeds.domains import domain_files, seeds_digest
from rolesynth_assets.cads.seeds.read import read_seeds
from rolesynth_assets.cads.values import Seed
from rolesynth_assets.embedded.problems.pose import Domain
from rolesynth_assets.embedded.problems.write_seeds import SeedSize, write_seeds

SIZE = SeedSize(seed=3, per_domain=4)


def test_every_domain_has_seeds_that_can_be_read(tmp_path: Path) -> None:
    write_seeds(tmp_path, SIZE)
    files = domain_files(tmp_path)
    assert set(files) == set(Domain)
    for domain, path in files.items():
        found = list(read_seeds(path, domain))
        seeds = [seed for seed in found if isinstance(seed, Seed)]
        assert len(seeds) == len(found) == SIZE.per_domain
        assert all(seed.answer and len(seed.images) == 1 for seed in seeds)


def test_the_same_size_gives_the_same_files_and_is_not_written_twice(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_seeds(tmp_path / name, SIZE)
    for domain in Domain:
        one, two = (tmp_path / name / domain for name in ("one", "two"))
        assert seeds_digest(one) == seeds_digest(two)
    file = tmp_path / "one" / "counting" / "seeds.jsonl"
    file.write_text("kept")
    write_seeds(tmp_path / "one", SIZE)
    assert file.read_text() == "kept"
    write_seeds(tmp_path / "one", SeedSize(seed=3, per_domain=3))
    assert len(file.read_text().splitlines()) == 3
