"""Word bounds and sampling settings of long and short captions."""

from collections.abc import Iterator
from dataclasses import dataclass

from rolesynth_assets.mllm.engine import Sampling
from rolesynth_assets.roles.role import LengthKind
from rolesynth_assets.store.digests import digest

__all__ = ["DEFAULT_POLICY", "CaptionPolicy", "LengthKind", "LengthRule"]


@dataclass(frozen=True)
class LengthRule:
    """Bounds and sampling of one length kind.

    Attributes:
        kind: long or short.
        min_words: a caption with fewer words is dropped as too short.
        max_words: a caption with more words is dropped as too long.
        sampling: how the caption is drawn; part of the caption's identity.
    """

    kind: LengthKind
    min_words: int
    max_words: int
    sampling: Sampling

    def __post_init__(self) -> None:
        if not 1 <= self.min_words <= self.max_words:
            raise ValueError(
                f"{self.kind} captions: bounds of {self.min_words} to {self.max_words} words leave "
                "nothing to keep; give 1 <= min_words <= max_words"
            )


@dataclass(frozen=True)
class CaptionPolicy:
    """The captions that every role writes for an image: one per rule, in this order.

    Bounds and cleaning rules are not part of a caption's identity: where they change, stored
    replies are read again and no model is asked. Changed sampling makes all captions of a length
    new.
    """

    rules: tuple[LengthRule, ...]
    uncut: frozenset[str] = frozenset()
    """Names of cleaning rules that are switched off."""

    def __post_init__(self) -> None:
        kinds = [rule.kind for rule in self.rules]
        if not kinds or len(set(kinds)) < len(kinds):
            raise ValueError(f"a caption policy takes one rule for each length kind, got {kinds}")

    @property
    def digest(self) -> str:
        """64 hex characters that change with any rule."""
        parts = [
            f"{rule.kind} {rule.min_words} {rule.max_words} {rule.sampling.fingerprint()}"
            for rule in self.rules
        ]
        return digest("caption policy", *parts, *sorted(self.uncut))

    def __iter__(self) -> Iterator[LengthRule]:
        return iter(self.rules)

    def __getitem__(self, kind: str) -> LengthRule:
        """Return the rule of one length kind, given as enum member or its value."""
        for rule in self.rules:
            if rule.kind == kind:
                return rule
        raise KeyError(
            f"no rule for {kind!r} captions; there are {[str(r.kind) for r in self.rules]}"
        )


# Minimum words are the paper's (long < 10 and short < 4 are dropped). Temperature, top-p and new
# tokens are ours; the paper gives none. Maximum words are what the token limits allow, with some
# room for engines that count tokens differently; the paper's means are 92.4 and 17.7 words.
DEFAULT_POLICY = CaptionPolicy(
    rules=(
        LengthRule(LengthKind.LONG, min_words=10, max_words=250, sampling=Sampling(0.7, 0.9, 200)),
        LengthRule(LengthKind.SHORT, min_words=4, max_words=60, sampling=Sampling(0.7, 0.9, 48)),
    )
)
