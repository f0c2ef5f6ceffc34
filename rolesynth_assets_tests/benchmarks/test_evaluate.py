import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rolesynth_assets.benchmarks import query_ranks
from rolesynth_assets.benchmarks.encoder import ClipEncoder
from rolesynth_assets.benchmarks.evaluate import evaluate, measure
from rolesynth_assets.benchmarks.score import Metric, Score, scores_frame
from rolesynth_assets.benchmarks.tasks import BenchmarkError, Task, TaskKind
from rolesynth_assets.embedded.world.write_benchmark import write_classification, write_retrieval
from rolesynth_assets.store.lance.schemas import RANKINGS

IMAGES = 24


def _png(index: int) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (4, 4), (index, 0, 0)).save(out, format="PNG")
    return out.getvalue()


class IndexEncoder:
    """Knows an image by its red value and a text by the number in it."""

    def __init__(self) -> None:
        self.image_batches: list[int] = []
        self.texts: list[str] = []

    def _rows(self, numbers: list[int]) -> np.ndarray:
        return np.eye(256, dtype=np.float32)[numbers]

    def encode_images(self, images: list[bytes]) -> np.ndarray:
        self.image_batches.append(len(images))
        pixels = [np.asarray(Image.open(io.BytesIO(data))) for data in images]
        return self._rows([int(image[0, 0, 0]) for image in pixels])

    def encode_texts(self, texts: list[str]) -> np.ndarray:
        self.texts += texts
        return self._rows([int("".join(filter(str.isdigit, text))) for text in texts])


@pytest.fixture
def retrieval(tmp_path: Path) -> Task:
    samples = [(_png(i), [f"number {i}", f"this is {i}"]) for i in range(IMAGES)]
    write_retrieval(tmp_path / "benchmarks" / "numbers", samples)
    return Task(name="numbers", kind=TaskKind.RETRIEVAL, path="{data}/benchmarks/numbers")


@pytest.fixture
def classification(tmp_path: Path) -> Task:
    write_classification(
        tmp_path / "digits",
        [(_png(i % 6), i % 6) for i in range(18)],
        class_names=[str(i) for i in range(6)],
        templates=["a {c}", "the {c}"],
    )
    return Task(name="digits", kind=TaskKind.CLASSIFICATION, path=str(tmp_path / "digits"))


def test_a_perfect_encoder_scores_one_and_chance_is_exact(retrieval: Task, tmp_path: Path) -> None:
    scores = {score.metric: score for score in evaluate(IndexEncoder(), retrieval, tmp_path)}
    assert list(scores) == [metric for metric in Metric if "_to_" in metric]
    assert all((s.value, s.low, s.high) == (1.0, 1.0, 1.0) for s in scores.values())
    assert scores[Metric.IMAGE_TO_TEXT_R1].chance == pytest.approx(2 / 48)
    assert scores[Metric.TEXT_TO_IMAGE_R5].chance == pytest.approx(5 / 24)
    miss = np.prod([(46 - i) / (48 - i) for i in range(10)])
    assert scores[Metric.IMAGE_TO_TEXT_R10].chance == pytest.approx(1 - miss)
    assert (scores[Metric.IMAGE_TO_TEXT_R1].n, scores[Metric.TEXT_TO_IMAGE_R1].n) == (24, 48)


def test_captions_keep_their_images_through_sorting_and_batches(
    tmp_path: Path, retrieval: Task
) -> None:
    encoder = IndexEncoder()
    done: list[tuple[int, int]] = []
    scores = evaluate(
        encoder, retrieval, tmp_path, batch=7, progress=lambda *step: done.append(step)
    )
    assert scores == evaluate(IndexEncoder(), retrieval, tmp_path, batch=100)
    assert encoder.image_batches == [7, 7, 7, 3]
    assert done[-1] == (24 + 48, 24 + 48)
    assert [step for step, _ in done] == sorted(step for step, _ in done)


def test_an_encoder_that_knows_half_of_the_images_scores_half(
    retrieval: Task, tmp_path: Path
) -> None:
    class Half(IndexEncoder):
        def encode_texts(self, texts: list[str]) -> np.ndarray:
            rows = super().encode_texts(texts)
            # captions of images 12 to 23 point at no image at all: all their scores are tied at 0
            lost = rows[:, 12:24].any(axis=1)
            rows[lost] = np.eye(256)[200]
            return rows

    scores = {score.metric: score for score in evaluate(Half(), retrieval, tmp_path)}
    # the known half is found; a lost caption finds its image by luck, 1 of 24
    text = scores[Metric.TEXT_TO_IMAGE_R1]
    assert text.value == pytest.approx(0.5 + 0.5 / 24)
    assert text.low < text.value < text.high
    # a lost image has two of 48 tied captions
    assert scores[Metric.IMAGE_TO_TEXT_R1].value == pytest.approx(0.5 + 0.5 * 2 / 48)


def test_equal_texts_are_encoded_once(tmp_path: Path) -> None:
    write_retrieval(tmp_path / "same", [(_png(1), ["it is 1"]), (_png(1), ["it is 1"])])
    task = Task(name="same", kind=TaskKind.RETRIEVAL, path=str(tmp_path / "same"))
    encoder = IndexEncoder()
    [score] = [s for s in evaluate(encoder, task) if s.metric is Metric.TEXT_TO_IMAGE_R1]
    assert encoder.texts == ["it is 1"]
    assert score.value == pytest.approx(0.5)


def test_classification_gives_top1_top5_and_mean_per_class(classification: Task) -> None:
    scores = {score.metric: score for score in evaluate(IndexEncoder(), classification)}
    assert list(scores) == [Metric.TOP1, Metric.TOP5, Metric.MEAN_PER_CLASS]
    assert [score.value for score in scores.values()] == [1.0, 1.0, 1.0]
    chances = [score.chance for score in scores.values()]
    assert chances == pytest.approx([1 / 6, 5 / 6, 1 / 6])
    assert scores[Metric.TOP1].n == 18


def test_a_metric_that_luck_always_meets_is_left_out(tmp_path: Path) -> None:
    write_retrieval(tmp_path / "few", [(_png(i), [f"{i}"]) for i in range(4)])
    task = Task(name="few", kind=TaskKind.RETRIEVAL, path=str(tmp_path / "few"))
    metrics = [score.metric for score in evaluate(IndexEncoder(), task)]
    assert metrics == [Metric.IMAGE_TO_TEXT_R1, Metric.TEXT_TO_IMAGE_R1]


def test_measurements_carry_the_hits_behind_the_scores(retrieval: Task, tmp_path: Path) -> None:
    found = {m.metric: m for m in measure(IndexEncoder(), retrieval, tmp_path).measurements}
    text = found[Metric.TEXT_TO_IMAGE_R1]
    assert text.clusters.tolist() == [i for i in range(IMAGES) for _ in range(2)]
    assert text.hits.shape == (48,)


def test_rankings_name_the_query_its_rank_and_the_best_candidates(
    retrieval: Task, tmp_path: Path
) -> None:
    class Shifted(IndexEncoder):
        """Takes each text for that of the image before."""

        def encode_texts(self, texts: list[str]) -> np.ndarray:
            return np.roll(super().encode_texts(texts), -1, axis=1) * 0.8 + 0.6 * np.eye(256)[200]

    for encoder, rank in ((IndexEncoder(), 1.0), (Shifted(), None)):
        rows = measure(encoder, retrieval, tmp_path).rankings
        texts = [row for row in rows if row["direction"] == "text_to_image"]
        assert len(texts) == 2 * IMAGES and len(rows) == 3 * IMAGES
        assert [row["query"] for row in texts] == [*range(2 * IMAGES)]
        row, first = texts[7], json.loads(texts[7]["top"])[0]
        assert (row["text"], row["image"]) == ("this is 3", 3)
        assert len(json.loads(row["top"])) == 10
        if rank:
            assert row["rank"] == rank
            assert first == {"image": 3, "text": "number 3", "right": True}
        else:  # its image is tied with the 22 others that are not the first
            assert row["rank"] == pytest.approx(2 + 22 / 2)
            assert first == {"image": 2, "text": "number 2", "right": False}
    about = next(row for row in rows if row["direction"] == "image_to_text" and row["query"] == 3)
    assert about["text"] == "number 3\nthis is 3"


def test_of_many_queries_the_same_sample_is_ranked_for_every_model(
    monkeypatch: pytest.MonkeyPatch, retrieval: Task, tmp_path: Path
) -> None:
    monkeypatch.setattr(query_ranks, "MOST_QUERIES", 5)
    asked = [
        {(row["direction"], row["query"]) for row in measure(e, retrieval, tmp_path).rankings}
        for e in (IndexEncoder(), IndexEncoder())
    ]
    assert asked[0] == asked[1]
    assert len(asked[0]) == 10


def test_rankings_of_classes_become_rows_of_the_table(classification: Task) -> None:
    rows = measure(IndexEncoder(), classification).rankings
    assert {row["direction"] for row in rows} == {"image_to_class"}
    assert json.loads(rows[4]["top"])[0] == {"text": "4", "right": True}
    who = {"recipe": "r", "seed": 3, "benchmark": "b", "checkpoint_digest": "d", "run_id": ""}
    table = query_ranks.ranking_table(rows, **who)
    assert table.schema == RANKINGS.schema
    assert len(set(table["ranking_id"].to_pylist())) == 18


def test_the_first_candidates_are_those_of_the_sorted_matrix_for_any_block() -> None:
    rng = np.random.default_rng(0)
    queries, candidates = rng.normal(size=(7, 9)), rng.normal(size=(23, 9))
    order = np.argsort(-(queries @ candidates.T), axis=1)[:, :10]
    for block in (3, 10, 100):
        found = query_ranks.first_candidates(queries, candidates, block=block)
        np.testing.assert_array_equal(found, order)


def test_scores_become_rows_of_a_small_table() -> None:
    score = Score(Metric.TOP1, 0.5, 0.4, 0.6, 0.1, 30)
    frame = scores_frame([score], recipe="r", seed=3, benchmark="b", checkpoint_digest="d")
    assert frame.rows(named=True) == [
        {
            **{"recipe": "r", "seed": 3, "benchmark": "b", "metric": "top1", "value": 0.5},
            **{"low": 0.4, "high": 0.6, "chance": 0.1, "n": 30},
            **{"checkpoint_digest": "d", "run_id": ""},
        }
    ]
    assert scores_frame([], recipe="r", seed=3, benchmark="b").schema == frame.schema


def _colour_encoder() -> ClipEncoder:
    """An open_clip-like model whose image features are the mean colour, unnormalised."""
    import torch

    class Model(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.nn.Parameter(torch.tensor(5.0))

        def encode_image(self, image: torch.Tensor) -> torch.Tensor:
            return self.scale * image.mean(dim=(2, 3))

        def encode_text(self, text: torch.Tensor) -> torch.Tensor:
            return self.scale * text

    def preprocess(image: Image.Image) -> torch.Tensor:
        assert image.mode == "RGB"
        pixels = np.asarray(image.resize((4, 4)), dtype=np.float32) / 255
        return torch.from_numpy(pixels).permute(2, 0, 1)

    colours = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "white": (1.0, 1.0, 1.0)}
    return ClipEncoder(Model(), preprocess, lambda texts: torch.tensor([colours[t] for t in texts]))


def _colour(mode: str, colour, **save) -> bytes:
    out = io.BytesIO()
    Image.new(mode, (6, 6), colour).save(out, **save)
    return out.getvalue()


def test_a_clip_model_is_read_through_the_bounded_decode() -> None:
    encoder = _colour_encoder()
    images = [
        _colour("RGB", (255, 0, 0), format="PNG"),
        _colour("RGBA", (0, 255, 0, 255), format="PNG"),
        _colour("RGBA", (9, 9, 9, 0), format="PNG"),  # transparent: white, as in ingestion
    ]
    image_rows = encoder.encode_images(images)
    text_rows = encoder.encode_texts(["red", "green", "white"])
    assert image_rows.dtype == text_rows.dtype == np.float32
    np.testing.assert_allclose(image_rows @ text_rows.T, text_rows @ text_rows.T, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(image_rows, axis=1), 1.0, atol=1e-6)


def test_an_undecodable_image_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    good = _colour("RGB", (255, 0, 0), format="PNG")
    samples = [(good, ["red"]), (good, ["green"]), (good[:-30], ["white"])]
    write_retrieval(tmp_path / "bad", samples)
    task = Task(name="bad", kind=TaskKind.RETRIEVAL, path=str(tmp_path / "bad"))
    with pytest.raises(BenchmarkError, match=r"bad/test::s0000002: cannot be decoded"):
        evaluate(_colour_encoder(), task, batch=2)
