"""The captions and scores that some partitions lack, counted as the runs themselves count them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rolesynth_assets.cli.spending.expected import CARDS, Expected, Tokens
from rolesynth_assets.mllm.settings import BATCHES

if TYPE_CHECKING:
    import polars as pl

    from rolesynth_assets.mllm.engine import ModelIdentity
    from rolesynth_assets.mllm.settings import EngineSettings
    from rolesynth_assets.pairs.judge import JudgePrompt
    from rolesynth_assets.roles.role import Role
    from rolesynth_assets.roles.role_set import RoleSet
    from rolesynth_assets.settings import Settings
    from rolesynth_assets.store.lance.store import Store

Place = tuple[str, str]
"""A shard and a role set."""
SAMPLE = 100
"""Images whose sizes give the tokens of a picture where there is no earlier row."""
PIXELS_OF_A_TOKEN = 28 * 28
"""Of Qwen2.5-VL."""
CHARACTERS_OF_A_TOKEN = 4
WRITTEN = {"long": 120, "short": 24}
"""Tokens of a caption: the paper's means of 92.4 and 17.7 words, times 1.3."""
WRITTEN_BY_JUDGE = 30
"""Tokens of a score and a short reason."""


@dataclass
class _Count:
    """Missing rows of one table."""

    rows: Counter[str] = field(default_factory=Counter)  # by length kind
    shards: Counter[str] = field(default_factory=Counter)
    images: set[str] = field(default_factory=set)

    def add(self, shard: str, image: str, length: str) -> None:
        self.rows[length] += 1
        self.shards[shard] += 1
        self.images.add(image)


@dataclass(frozen=True)
class _Coming:
    """What a partition's captions will be.

    Attributes:
        made: image and length of each caption that is made.
        staying: ids of the stored captions that stay; None if all do.
    """

    made: Sequence[tuple[str, str]] = ()
    staying: Collection[str] | None = None


@dataclass
class Missing:
    """Counts the captions and scores that partitions lack.

    Attributes:
        settings: the project's.
        store: its tables.
        again: reasons of rows that are asked again.
    """

    settings: Settings
    store: Store
    again: Sequence[str] = ()
    captions: _Count = field(default_factory=_Count)
    scores: _Count = field(default_factory=_Count)
    submitted: int = 0
    """Requests in open batches, which are not counted with the others."""

    def count(self, captions: Sequence[Place], scores: Sequence[Place]) -> list[Expected]:
        """Count over partitions.

        Args:
            captions: partitions whose captions are made.
            scores: partitions whose captions are scored.

        Raises:
            EngineError: a server does not say which model it serves.
        """
        asked: list[Expected] = []
        coming: dict[Place, _Coming] = {}
        if captions:
            writer = identity(self.settings.captioner)
            for place in captions:
                coming[place] = self._captions(place, writer)
            if self.settings.captioner.counted:
                asked.append(self._expected_captions(captions, writer))
        if scores and self.settings.judge.counted:
            judge = identity(self.settings.judge)
            for place in scores:
                self._scores(place, judge, coming.get(place, _Coming()))
            asked.append(self._expected_scores(judge))
        return [kind for kind in asked if kind.calls]

    def by_shard(self) -> Counter[str]:
        """Return the calls by shard."""
        counted = Counter[str]()
        for settings, count in (
            (self.settings.captioner, self.captions),
            (self.settings.judge, self.scores),
        ):
            counted += count.shards if settings.counted else Counter()
        return counted

    def _roles(self, role_set: str) -> list[Role]:
        """Return a role set's roles: those of its file, or those that were generated, if any."""
        from rolesynth_assets.roles.rows import roles_from_rows

        written = self._role_set(role_set)
        if not written.generate:
            return written.written_roles()
        rows = self.store.read("roles", {"role_set": role_set})
        return roles_from_rows(rows) if rows.num_rows else []

    def _role_set(self, name: str) -> RoleSet:
        from rolesynth_assets.roles.library import load_role_sets

        return load_role_sets(self.settings.role_sets)[name]

    def _prompt(self) -> JudgePrompt:
        from rolesynth_assets.pairs.judge import judge_prompt

        return judge_prompt(self.settings.scores.sampling)

    def _captions(self, place: Place, writer: ModelIdentity) -> _Coming:
        """Count the captions that a partition lacks."""
        from rolesynth_assets.captions.asked_again import captions_to_ask
        from rolesynth_assets.captions.wanted_captions import wanted

        shard, role_set = place
        policy = self.settings.captions.policy
        images = self.store.read("images", {"shard": shard}, ["image_id"])["image_id"].to_pylist()
        if roles := self._roles(role_set):
            captions = wanted(images, roles, writer, policy)
            keys = [caption.caption_id for caption in captions]
            partition = {"shard": shard, "role_set": role_set}
            retry = captions_to_ask(self.store, partition, (), self.again)
            missing = set(self.store.plan("captions", partition, keys, retry=retry).missing)
            lacking = [
                (caption.image_id, str(caption.rule.kind))
                for caption in captions
                if caption.caption_id in missing
            ]
            unsent = missing - self._submitted("captions", partition)
            asked = [
                (caption.image_id, str(caption.rule.kind))
                for caption in captions
                if caption.caption_id in unsent
            ]
            staying = {*keys} - missing
        else:  # they are still to be generated
            count = self._role_set(role_set).role_count
            kinds = [str(rule.kind) for rule in policy]
            lacking = [(image, kind) for image in images for kind in kinds * count]
            asked, staying = lacking, set()
        for image, length in asked:
            self.captions.add(shard, image, length)
        return _Coming(lacking, staying)

    def _scores(self, place: Place, judge: ModelIdentity, coming: _Coming) -> None:
        from rolesynth_assets.pairs.scoring import scores_to_ask, wanted_scores

        shard, role_set = place
        partition = {"shard": shard, "role_set": role_set}
        questions = wanted_scores(
            *(self.store, partition, self._roles(role_set), judge, self._prompt()),
            again=self.again,
            staying=coming.staying,
        )
        retry = scores_to_ask(self.store, partition, (), self.again)
        plan = self.store.plan("scores", partition, list(questions), retry=retry)
        held = self._submitted("scores", partition)
        asked = [questions[key] for key in plan.missing if key not in held]
        for image, length in (*asked, *coming.made):
            self.scores.add(shard, image, length)

    def _submitted(self, table: str, partition: dict[str, str]) -> set[str]:
        """Return and count the keys of a partition's requests that are in open batches."""
        from rolesynth_assets.mllm.rows.row_run import in_batches

        held = in_batches(self.store, table, partition)
        self.submitted += len(held)
        return held

    def _expected_captions(self, places: Sequence[Place], writer: ModelIdentity) -> Expected:
        rows, engine = self.captions.rows, self.settings.captioner
        earlier = _earlier(self.store, "captions", "model", writer.model)
        if not earlier:
            roles = [role for name in {name for _, name in places} for role in self._roles(name)]
            prompts = [len(f"{r.system}{r.templates.long}{r.responsibilities}") for r in roles]
            written = sum(rows[length] * WRITTEN[length] for length in rows) / max(rows.total(), 1)
            earlier = self._sampled(engine, prompts, written, self.captions)
        return Expected(
            "captions",
            writer.model,
            rows.total(),
            len(self.captions.images),
            earlier,
            self.settings.prices.captioner,
            tried=CARDS * engine.preflight,
            in_process=not engine.paid,
            in_batches=engine.engine == BATCHES,
        )

    def _expected_scores(self, judge: ModelIdentity) -> Expected:
        earlier = _earlier(self.store, "scores", "judge", judge.model)
        if not earlier:
            prompt = self._prompt()
            texts = [len(prompt.system) + len(prompt.template) + 4 * sum(WRITTEN.values()) // 2]
            earlier = self._sampled(self.settings.judge, texts, WRITTEN_BY_JUDGE, self.scores)
        return Expected(
            "scores",
            judge.model,
            self.scores.rows.total(),
            len(self.scores.images),
            earlier,
            self.settings.prices.judge,
            tried=CARDS * self.settings.judge.preflight,
            in_process=not self.settings.judge.paid,
            in_batches=self.settings.judge.engine == BATCHES,
        )

    def _sampled(
        self, engine: EngineSettings, texts: Sequence[int], written: float, count: _Count
    ) -> Tokens:
        """Estimate a call's tokens from the sizes of some images and the lengths of texts."""
        from rolesynth_assets.store.lance.rows import any_key

        some = sorted(count.images)[:SAMPLE]
        sizes = self.store.read(
            "images", None, ["width", "height"], any_key("image_id", some or [""])
        )
        pixels = [w * h for w, h in zip(*(c.to_pylist() for c in sizes.columns), strict=True)]
        shown = sum(min(p, engine.pixel_budget) for p in pixels) / max(len(pixels), 1)
        text = sum(texts) / max(len(texts), 1) / CHARACTERS_OF_A_TOKEN
        basis = f"estimated from the sizes of {len(some)} images"
        return Tokens(text + shown / PIXELS_OF_A_TOKEN, written, basis)


def identity(settings: EngineSettings) -> ModelIdentity:
    """Return the identity of an engine's model; a server may be asked for it, which is free.

    Raises:
        EngineError: the server does not say which model it serves.
    """
    from rolesynth_assets.mllm.factory import make_engine

    engine = make_engine(settings)
    try:
        return engine.identity
    finally:
        asyncio.run(engine.aclose())


def _earlier(store: Store, table: str, column: str, model: str) -> Tokens | None:
    """Return the mean tokens of a model's earlier rows, None if it has none."""
    import polars as pl

    columns = [column, "prompt_tokens", "completion_tokens"]
    rows: pl.DataFrame = pl.DataFrame(store.read(table, None, columns))
    asked = rows.filter((pl.col(column) == model) & (pl.col("prompt_tokens") > 0))
    if asked.is_empty():
        return None
    read, written = asked.select(pl.col("prompt_tokens", "completion_tokens").mean()).row(0)
    return Tokens(read, written, f"as in {asked.height:,} earlier rows")
