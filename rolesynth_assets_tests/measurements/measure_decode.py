"""Decoded photographs and tokens: this package against open_clip's own loader and tokenizer.

`python -m rolesynth_assets_tests.measurements.measure_decode` writes photograph-like JPEGs of 512
pixels into WebDataset shards, and reads the same files

- through open_clip's WebDataset loader (`open_clip_train.data.get_wds_dataset`) with its evaluation
  transform, whose workers also normalise,
- through `PixelSource` with as many processes, and with as many threads: the first epoch, which
  decodes and keeps the pixels, and the second one, which reads them. Its batches are uint8 and
  normalised on the device that trains; what one CPU thread takes for that is printed too.

The arms take turns, because other work on the machine changes; printed are the median images a
second of all turns and the ratios. Captions a second are those of one process. WebDataset comes
with `pip install "rolesynth-assets[test]"`.
"""

import argparse
import io
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import numpy as np
import open_clip
import pyarrow as pa
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image, ImageFilter

from rolesynth_assets.clip.data import decoding
from rolesynth_assets.clip.data.batches import TrainingSet
from rolesynth_assets.clip.data.input_cache import InputCache
from rolesynth_assets.clip.data.pixels import PixelSource
from rolesynth_assets.clip.data.tokens import TokenSource
from rolesynth_assets.clip.plain_text import of_plain_text
from rolesynth_assets_tests.clip.image_readers import in_memory

SIZE = 224
PREPROCESS: Any = image_transform_v2(PreprocessCfg(size=SIZE), is_train=False)
WORDS = (
    "the a of large red bus, parked beside an old stone wall; two people walk past it. sunlight "
    "falls across cobbled street and small shop it's quiet"
).split()


def photograph(seed: int, long: int = 512) -> bytes:
    """Return a JPEG with the detail of a photograph, 512 x 384 or 384 x 512."""
    rng = np.random.default_rng(seed)
    size = (long, long * 3 // 4) if seed % 2 else (long * 3 // 4, long)
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), np.uint8))
    pixels = np.asarray(coarse.resize(size, Image.Resampling.BICUBIC)).astype(np.float32)
    noisy = (pixels + rng.normal(0, 8, pixels.shape)).clip(0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    image = Image.fromarray(noisy).filter(ImageFilter.GaussianBlur(0.7))
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def write_shards(folder: Path, encoded: dict[str, bytes], shards: int) -> str:
    """Write WebDataset shards and return their pattern."""
    from webdataset.writer import TarWriter

    ids = list(encoded)
    for shard in range(shards):
        with TarWriter(str(folder / f"{shard:03d}.tar")) as tar:
            for image in ids[shard::shards]:
                tar.write({"__key__": image, "jpg": encoded[image], "txt": "a caption"})
    return str(folder / f"{{000..{shards - 1:03d}}}.tar")


def wds_epoch(pattern: str, images: int, batch: int, workers: int) -> Iterator[None]:
    """Read one epoch through open_clip's WebDataset loader, batch by batch."""
    import open_clip_train.data as loader
    from webdataset.tariterators import tarfile_to_samples

    # open_clip 3.3's own step does not read what webdataset 1.0 yields
    loader.tarfile_to_samples_nothrow = tarfile_to_samples()
    options = SimpleNamespace(
        train_data=pattern,
        train_num_samples=images,
        train_data_upsampling_factors=None,
        dataset_resampled=False,
        batch_size=batch,
        workers=workers,
        world_size=1,
        seed=0,
    )
    data = loader.get_wds_dataset(options, PREPROCESS, True, tokenizer=_no_tokens)
    for pixels, _ in data.dataloader:
        assert pixels.shape[1:] == (3, SIZE, SIZE)
        yield


def _no_tokens(text: str) -> list[torch.Tensor]:
    return [torch.zeros(1)]


def our_epoch(source: PixelSource, images: int, batch: int, seed: int) -> Iterator[None]:
    """Read one epoch of ours in random order, batch by batch."""
    order = np.random.default_rng(seed).permutation(images)
    for start in range(0, images - batch + 1, batch):
        pixels = source.batch(order[start : start + batch])
        assert pixels.shape[1:] == (3, SIZE, SIZE)
        yield


def rate(epoch: Iterator[None], batch: int) -> float:
    """Return images a second of all batches; starting the workers counts."""
    began = time.perf_counter()
    count = sum(1 for _ in epoch)
    return count * batch / (time.perf_counter() - began)


def our_rates(
    data: TrainingSet, batch: int, workers: int, processes: bool
) -> tuple[float, float, float]:
    """Return images a second of a first epoch, of a second one, and of a set held in memory."""
    decoding.PAYS_FROM, decoding.PAYS_OVER = (1, 0) if processes else (10**9, 10**9)
    images = len(data.image_ids)
    with tempfile.TemporaryDirectory() as folder:
        kept = InputCache(Path(folder), 10**12)
        began = time.perf_counter()
        source = PixelSource(data, PREPROCESS, 0, kept=kept, workers=workers)
        started = time.perf_counter() - began
        first = rate(our_epoch(source, images, batch, 1), batch)
        first = 1 / (1 / first + started / (images - images % batch))
        second = rate(our_epoch(source, images, batch, 2), batch)
        source.close()
        held = PixelSource(data, PREPROCESS, kept=kept, workers=workers)
        memory = rate(our_epoch(held, images, batch, 3), batch)
        held.close()
    return first, second, memory


def normalise_rate(data: TrainingSet, batch: int) -> float:
    """Return images a second that one CPU thread normalises."""
    source = PixelSource(data, PREPROCESS, 0)
    pixels = source.batch(np.arange(batch))
    source.close()
    began = time.perf_counter()
    for _ in range(5):
        source.normalise(pixels)
    return 5 * batch / (time.perf_counter() - began)


def caption_rates(captions: int) -> tuple[float, float]:
    """Return captions a second by open_clip's tokenizer, and by ours for a whole set."""
    rng = random.Random(0)
    rows = [
        {"image_id": f"{n // 4:06d}", "text": " ".join(rng.choices(WORDS, k=rng.randint(10, 90)))}
        for n in range(captions)
    ]
    data = TrainingSet.from_rows(pa.Table.from_pylist(rows), in_memory({}))
    plain, ours = (
        of_plain_text(open_clip.get_tokenizer("ViT-B-16", context_length=248)) for _ in range(2)
    )
    some = data.captions(np.arange(min(captions, 4000)))
    began = time.perf_counter()
    wanted = plain(some)
    theirs = len(some) / (time.perf_counter() - began)
    began = time.perf_counter()
    source = TokenSource(data, ours)
    mine = captions / (time.perf_counter() - began)
    assert torch.equal(source.batch(np.arange(len(some))), wanted)
    return theirs, mine


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=1024)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--workers", type=int, default=decoding.usable_cpus())
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--captions", type=int, default=40_000)
    chosen = parser.parse_args()
    torch.set_num_threads(1)  # normalising must not take the workers' CPUs
    encoded = {f"{n:06d}": photograph(n) for n in range(chosen.images)}
    rows = [{"image_id": image, "text": "a caption"} for image in encoded]
    data = TrainingSet.from_rows(pa.Table.from_pylist(rows), in_memory(encoded))
    rates: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        pattern = write_shards(Path(folder), encoded, 2 * chosen.workers)
        for _ in range(chosen.turns):
            epoch = wds_epoch(pattern, chosen.images, chosen.batch, chosen.workers)
            rates.setdefault("open_clip's loader", []).append(rate(epoch, chosen.batch))
            for processes in (True, False):
                found = our_rates(data, chosen.batch, chosen.workers, processes)
                name = "processes" if processes else "threads"
                for arm, one in zip(
                    ("first epoch", "kept on disk", "in memory"), found, strict=True
                ):
                    rates.setdefault(f"{arm}, {name}", []).append(one)
    theirs = median(rates["open_clip's loader"])
    print(f"{chosen.images} images, {chosen.workers} workers, median of {chosen.turns} turns")
    for arm, found in rates.items():
        print(f"{arm:26} {median(found):9.0f} images/s   x {median(found) / theirs:.2f}")
    print(f"{'normalised by one thread':26} {normalise_rate(data, chosen.batch):9.0f} images/s")
    theirs, mine = caption_rates(chosen.captions)
    print(f"{'open_clip tokenizer':26} {theirs:9.0f} captions/s")
    print(f"{'all captions of a set':26} {mine:9.0f} captions/s   x {mine / theirs:.1f}")


if __name__ == "__main__":
    main()
