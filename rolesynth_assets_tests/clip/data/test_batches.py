import numpy as np
import pyarrow as pa
import pytest

from rolesynth_assets.clip.data.batches import BatchPlan, TrainingSet, TrainingSetError
from rolesynth_assets.store.digests import table_digest
from rolesynth_assets_tests.clip.image_readers import in_memory

NO_IMAGES = in_memory({})


def rows_of(counts: dict[str, int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {"image_id": i, "text": f"{i} caption {k}", "role": "x"}
            for i, n in counts.items()
            for k in range(n)
        ]
    )


@pytest.fixture
def ragged():
    return TrainingSet.from_rows(rows_of({"c": 5, "a": 1, "d": 3, "b": 4}), NO_IMAGES)


def test_rows_are_grouped_by_image(ragged):
    assert ragged.image_ids == ("a", "b", "c", "d")
    assert ragged.offsets.tolist() == [0, 1, 5, 10, 13]
    assert ragged.owners.tolist() == [0] + [1] * 4 + [2] * 5 + [3] * 3
    for row, owner in enumerate(ragged.owners):
        (text,) = ragged.captions(np.array([row]))
        assert text.startswith(ragged.image_ids[owner])


def test_the_order_and_chunking_of_rows_change_nothing(ragged, make_recipe):
    rows = rows_of({"b": 4, "d": 3, "a": 1, "c": 5})
    other = TrainingSet.from_rows(pa.concat_tables([rows.slice(7), rows.slice(0, 7)]), NO_IMAGES)
    assert other.digest == ragged.digest
    assert other.texts.equals(ragged.texts)
    plan, again = (BatchPlan(s, make_recipe(), 3) for s in (ragged, other))
    assert plan.batch(5).texts.tolist() == again.batch(5).texts.tolist()


def test_the_digest_is_that_of_the_rows(ragged):
    rows = rows_of({"a": 1, "b": 4, "c": 5, "d": 3})
    assert ragged.digest == table_digest(rows, ["image_id", "text"])
    fewer = TrainingSet.from_rows(rows.slice(1), NO_IMAGES)
    assert fewer.digest != ragged.digest


def test_a_rectangular_epoch_shows_every_image_once(ragged, make_recipe):
    recipe = make_recipe(schedule={"epochs": 3, "batch_images": 2})
    plan = BatchPlan(ragged, recipe, 0)
    assert (plan.steps_per_epoch, plan.total_steps) == (2, 6)
    for epoch in range(3):
        batches = [plan.batch(2 * epoch + k) for k in range(2)]
        assert sorted(i for b in batches for i in b.images.tolist()) == [0, 1, 2, 3]
        for batch in batches:
            assert set(batch.owners) == set(batch.images)
            counts = {i: int((batch.owners == i).sum()) for i in batch.images.tolist()}
            assert counts == {i: 1 if i == 0 else 2 for i in counts}  # "a" has one caption
            assert len(set(batch.texts.tolist())) == len(batch.texts)
            assert (ragged.owners[batch.texts] == batch.owners).all()


def test_a_square_epoch_shows_every_row_once(ragged, make_recipe):
    recipe = make_recipe(layout="square", schedule={"epochs": 2, "batch_images": 4})
    plan = BatchPlan(ragged, recipe, 0)
    assert (plan.steps_per_epoch, plan.total_steps) == (3, 6)  # 13 rows, one left out an epoch
    seen = np.concatenate([plan.batch(k).texts for k in range(3)])
    assert len(set(seen.tolist())) == 12
    for step in range(6):
        batch = plan.batch(step)
        assert (batch.images == batch.owners).all()
        assert (ragged.owners[batch.texts] == batch.owners).all()


def test_batches_are_functions_of_seed_and_step(ragged, make_recipe):
    recipe = make_recipe(schedule={"steps": 50, "batch_images": 3})
    first, again, other = (BatchPlan(ragged, recipe, seed) for seed in (1, 1, 2))
    order = [17, 3, 42, 3]
    drawn = [first.batch(s).texts.tolist() for s in order]
    assert drawn == [again.batch(s).texts.tolist() for s in order]
    assert drawn != [other.batch(s).texts.tolist() for s in order]


def test_captions_are_drawn_anew_each_epoch_and_all_come_up(ragged, make_recipe):
    plan = BatchPlan(ragged, make_recipe(schedule={"steps": 40, "batch_images": 4}), 0)
    draws = {tuple(sorted(plan.batch(s).texts.tolist())) for s in range(40)}
    assert len(draws) > 20
    assert {t for draw in draws for t in draw} == set(range(13))


def test_another_image_does_not_change_which_captions_an_image_gets(make_recipe):
    small = TrainingSet.from_rows(rows_of({"b": 9, "c": 9}), NO_IMAGES)
    large = TrainingSet.from_rows(rows_of({"a": 9, "b": 9, "c": 9}), NO_IMAGES)

    def captions_of_b(data):
        recipe = make_recipe(captions_per_image=3, schedule={"steps": 1, "batch_images": 9})
        batch = BatchPlan(data, recipe, 4).batch(0)
        return [t for t in data.captions(batch.texts) if t.startswith("b")]

    assert captions_of_b(small) == captions_of_b(large)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "no rows"),
        ([("a", "x"), ("a", "y")], "one image"),
        ([("a", "x"), ("b", "")], "1 of 2 training rows have an empty text"),
        ([("a", "x"), (None, "y")], "1 of 2 training rows have an empty image_id"),
    ],
)
def test_an_unusable_set_is_refused(rows, message):
    schema = pa.schema([("image_id", pa.string()), ("text", pa.string())])
    table = pa.Table.from_pylist([{"image_id": i, "text": t} for i, t in rows], schema)
    with pytest.raises(TrainingSetError, match=message):
        TrainingSet.from_rows(table, NO_IMAGES)
