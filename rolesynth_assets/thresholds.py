"""The bounds of the data-quality checks, which a user sets in `rolesynth.yaml`.

No row's identity depends on a bound: after a change, the next run evaluates the checks again and
asks no model.
"""

from __future__ import annotations

from pydantic import Field

from rolesynth_assets.yaml_files import FrozenModel


class Thresholds(FrozenModel):
    """Bounds of the data-quality checks; each is shown beside the measured value."""

    max_reject_share: float = Field(default=0.2, ge=0, le=1)
    """Share of a shard's files that are not usable images."""
    max_role_overlap: float = Field(default=0.8, ge=0, le=1)
    """Jaccard similarity of the words in two roles' responsibilities."""
    max_prompt_words: int = Field(default=120, ge=1)
    """Words of a role's longest prompt."""
    max_persona_share: float = Field(default=0.02, ge=0, le=1)
    """Share of captions in which the model talks about itself or its role."""
    max_refusal_share: float = Field(default=0.02, ge=0, le=1)
    """Share of captions that refuse to describe the image."""
    max_failure_share: float = Field(default=0.1, ge=0, le=1)
    """Share of requests that ended without a caption, for any reason."""
    max_unscored_captions: int = Field(default=0, ge=0)
    """Captions that have neither a score nor a reason."""
    max_one_text_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the images that have one same text among their captions."""
    fewest_images_of_one_text: int = Field(default=3, ge=1)
    """Images from which on one text counts as serving many; similar pictures share a caption."""
    max_score_failure_share: float = Field(default=0.02, ge=0, le=1)
    """Share of captions without a score."""
    max_one_score_share: float = Field(default=0.8, ge=0, le=1)
    """Share of the most frequent score."""
    min_score_std: float = Field(default=2.0, ge=0)
    """Standard deviation of the scores, in points of 1 to 100."""
    fewest_scores: int = Field(default=6, ge=1)
    """Scores from which on their spread is checked; fewer may be equal by chance."""
    min_judge_auc: float = Field(default=0.5, ge=0, le=1)
    """Chance that the judge scores a true caption above a false one, where people reviewed them."""
    keep_tolerance: float = Field(default=0.005, ge=0)
    """Difference between the kept share and the configured share."""
    min_role_survival: float = Field(default=0.02, ge=0, le=1)
    """Kept share of each role's captions."""
    min_images_covered: float = Field(default=0.5, ge=0, le=1)
    """Share of the images with a kept caption."""
    max_self_similarity: float = Field(default=0.97, ge=-1, le=1)
    """Mean cosine similarity between captions of one image."""
    min_loss_drop: float = Field(default=0.05, ge=0, le=1)
    """Relative fall of the training loss."""
    loss_window: float = Field(default=0.1, gt=0, le=0.5)
    """Share of the steps at each end of a CLIP training whose mean losses are compared."""
    max_logit_error: float = Field(default=1e-3, ge=0)
    """Largest deviation of a reloaded checkpoint's logits."""
    max_cut_caption_share: float = Field(default=0.05, ge=0, le=1)
    """Share of training captions whose end is cut off at the context length."""
    max_leaked_answers: int = Field(default=0, ge=0)
    """Drawing instructions of a CADS round that give their problem's answer away."""
    max_duplicate_share: float = Field(default=0.1, ge=0, le=1)
    """Share of a CADS round's kept candidates that repeat an earlier one."""
    max_undecided_share: float = Field(default=0.02, ge=0, le=1)
    """Share of a CADS round's candidates that wait for a verdict that failed."""
    max_strategy_share: float = Field(default=0.7, ge=0, le=1)
    """Share of the most frequent strategy among a CADS round's candidates."""
    fewest_candidates: int = Field(default=8, ge=1)
    """Candidates from which on one strategy may not dominate; fewer may follow one by chance."""
    max_seed_rounds: int = Field(default=10, ge=1)
    """Rounds that a CADS seed may go through (paper: ten)."""
    min_true_references: float = Field(default=0.8, ge=0, le=1)
    """Share of a problem set's references that are right, where people reviewed them."""
    max_accuracy_fall: float = Field(default=0.02, ge=0, le=1)
    """Fall of the accuracy during GRPO, with better form, that is taken for noise."""
    reward_window: float = Field(default=0.2, gt=0, le=0.5)
    """Share of the steps at each end of GRPO whose mean accuracies are compared."""
    min_same_replies: float = Field(default=1.0, ge=0, le=1)
    """Share of a reloaded policy's greedy replies that are the same."""
    min_above_chance: float = Field(default=0.0, ge=0, le=1)
    """Distance of an interval's lower bound from chance, for CLIP and R1 benchmarks."""
    max_below_baseline: float = Field(default=0.0, ge=0, le=1)
    """Loss against the baseline recipe that is accepted beside both intervals."""


SAMPLES = frozenset(
    {
        *("fewest_images_of_one_text", "fewest_scores", "fewest_candidates"),
        *("loss_window", "reward_window"),
    }
)
"""Bounds that say what a check looks at, and not which value it accepts."""
