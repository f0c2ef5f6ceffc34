"""Settings of the judge's sampling."""

from __future__ import annotations

from pydantic import Field

from rolesynth_assets.mllm.engine import Sampling
from rolesynth_assets.pairs.judge import JUDGE_SAMPLING
from rolesynth_assets.yaml_files import FrozenModel


class ScoreSettings(FrozenModel):
    """How the judge's answers are drawn; a change asks for all scores again."""

    temperature: float = Field(default=JUDGE_SAMPLING.temperature, ge=0, le=2)
    """Sampling temperature of the judge; 0 is greedy. A change asks for all scores again."""
    top_p: float = Field(default=JUDGE_SAMPLING.top_p, gt=0, le=1)
    """Nucleus of the judge's sampling. A change asks for all scores again."""
    max_tokens: int = Field(default=JUDGE_SAMPLING.max_tokens, ge=1)
    """Most tokens of a judge's answer; a judge that thinks needs more. A change asks again."""

    @property
    def sampling(self) -> Sampling:
        """The same settings as a request has them."""
        return Sampling(self.temperature, self.top_p, self.max_tokens)
