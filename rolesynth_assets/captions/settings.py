"""Settings of captions: their lengths, how they are drawn, and which cleaning rules are off."""

from __future__ import annotations

from pydantic import Field, field_validator, model_validator

from rolesynth_assets.captions.lengths import (
    DEFAULT_POLICY,
    CaptionPolicy,
    LengthKind,
    LengthRule,
)
from rolesynth_assets.mllm.engine import Sampling
from rolesynth_assets.yaml_files import FrozenModel

_LONG, _SHORT = DEFAULT_POLICY[LengthKind.LONG], DEFAULT_POLICY[LengthKind.SHORT]


class _Length(FrozenModel):
    """Bounds and sampling of one length kind."""

    min_words: int
    max_words: int
    temperature: float
    top_p: float
    max_tokens: int

    @model_validator(mode="after")
    def _leaves_something(self) -> _Length:
        if self.min_words > self.max_words:
            raise ValueError("min_words is larger than max_words, which leaves nothing to keep")
        return self

    def rule(self, kind: LengthKind) -> LengthRule:
        """Return the rule of a length kind."""
        sampling = Sampling(self.temperature, self.top_p, self.max_tokens)
        return LengthRule(kind, self.min_words, self.max_words, sampling)


class LongCaptions(_Length):
    """Long captions."""

    min_words: int = Field(default=_LONG.min_words, ge=1)
    """Fewest words; in a script without spaces, letters."""
    max_words: int = Field(default=_LONG.max_words, ge=1)
    """Most words; in a script without spaces, letters."""
    temperature: float = Field(default=_LONG.sampling.temperature, ge=0, le=2)
    """Sampling temperature; a change makes all long captions new."""
    top_p: float = Field(default=_LONG.sampling.top_p, gt=0, le=1)
    """Nucleus of sampling; a change makes all long captions new."""
    max_tokens: int = Field(default=_LONG.sampling.max_tokens, ge=1)
    """Most tokens of an answer; a change makes all long captions new."""


class ShortCaptions(_Length):
    """Short captions."""

    min_words: int = Field(default=_SHORT.min_words, ge=1)
    """Fewest words; in a script without spaces, letters."""
    max_words: int = Field(default=_SHORT.max_words, ge=1)
    """Most words; in a script without spaces, letters."""
    temperature: float = Field(default=_SHORT.sampling.temperature, ge=0, le=2)
    """Sampling temperature; a change makes all short captions new."""
    top_p: float = Field(default=_SHORT.sampling.top_p, gt=0, le=1)
    """Nucleus of sampling; a change makes all short captions new."""
    max_tokens: int = Field(default=_SHORT.sampling.max_tokens, ge=1)
    """Most tokens of an answer; a change makes all short captions new."""


class CaptionSettings(FrozenModel):
    """Lengths, sampling and cleaning of captions."""

    long: LongCaptions = LongCaptions()
    short: ShortCaptions = ShortCaptions()
    uncut: tuple[str, ...] = ()
    """Cleaning rules that are switched off; stored replies are read again, no model is asked."""

    @field_validator("uncut")
    @classmethod
    def _are_rules(cls, uncut: tuple[str, ...]) -> tuple[str, ...]:
        if not uncut:
            return uncut  # the rules take long to load
        from rolesynth_assets.reply_text.caption import caption_rules

        known = [rule.name for rule in caption_rules()]
        if unknown := sorted(set(uncut) - set(known)):
            raise ValueError(f"there is no rule {', '.join(unknown)}; there are {', '.join(known)}")
        return uncut

    @property
    def policy(self) -> CaptionPolicy:
        """The same settings as a value of the captioning loop."""
        return CaptionPolicy(
            (self.long.rule(LengthKind.LONG), self.short.rule(LengthKind.SHORT)),
            frozenset(self.uncut),
        )
