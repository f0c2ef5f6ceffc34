"""TRL's GRPO trainer, configured by a recipe."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from accelerate.utils import is_peft_model
from transformers import PrinterCallback, TrainerCallback
from trl.trainer.grpo_config import GRPOConfig
from trl.trainer.grpo_trainer import GRPOTrainer

from rolesynth_assets.progress import StepProgress
from rolesynth_assets.r1.recipe import R1Recipe, Rollouts
from rolesynth_assets.r1.rewards import (
    ACCURACY_WEIGHT,
    FORMAT_WEIGHT,
    accuracy_reward,
    format_reward,
)
from rolesynth_assets.r1.training.checkpoint import StepLog

if TYPE_CHECKING:
    from datasets import Dataset

    from rolesynth_assets.r1.training.policy import Policy


class Trainer(GRPOTrainer):
    """A GRPO trainer that resumes with its saved weights and sends no telemetry."""

    def _send_telemetry(self) -> None:
        """Send nothing; TRL would report every start to its makers."""

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Load saved weights by their names on disk, which differ from the model's for Qwen2.5-VL.

        transformers 5.19 expects the model's own names, loads no weight, warns, and continues with
        the untrained weights (huggingface/transformers#43701). Drop this when that is closed.
        """
        model = self.model if model is None else model
        if is_peft_model(model):
            super()._load_from_checkpoint(resume_from_checkpoint, model)
            return
        saved = type(model).from_pretrained(resume_from_checkpoint, dtype=model.dtype)
        model.load_state_dict(saved.state_dict())


class _AfterEachStep(TrainerCallback):
    def __init__(self, progress: StepProgress | None, saved: Callable[[], None]) -> None:
        self._progress, self._saved = progress, saved

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Report the progress of the training; the trainer's last log has no reward."""
        if self._progress and logs and "reward" in logs:
            self._progress(state.global_step, state.max_steps, float(logs["reward"]))

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Report that the state was saved."""
        self._saved()


def make_trainer(
    recipe: R1Recipe,
    policy: Policy,
    dataset: Dataset,
    folder: Path,
    seed: int,
    progress: StepProgress | None,
    saved: Callable[[], None],
) -> Trainer:
    """Return a trainer that has made no step.

    Args:
        recipe: settings of the training.
        policy: the untrained policy, from which the KL divergence is measured.
        dataset: data set made by `data.to_dataset`.
        folder: folder of the trainer's own saved states.
        seed: seed of the order of questions and of the rollouts.
        progress: called after every step.
        saved: called after each saved state.
    """
    rewards: list[Any] = [accuracy_reward, format_reward]
    trainer = Trainer(
        model=policy.model,
        reward_funcs=rewards,
        args=grpo_config(recipe, folder, seed, policy.processor.image_token),
        train_dataset=dataset,
        processing_class=policy.processor,
        callbacks=[_AfterEachStep(progress, saved)],
        peft_config=_lora(recipe),
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def grpo_config(recipe: R1Recipe, folder: Path, seed: int, image_token: str) -> GRPOConfig:
    """Translate a recipe into TRL's configuration, for one process on one device.

    No rollout may contain `image_token`, the placeholder of images, because the trainer would
    expect an image for each.

    One set of rollouts is sampled for each optimiser step, so every step is on-policy. The loss is
    averaged over the tokens of the batch (dapo in TRL), as in EasyR1, which the authors used. On a
    CPU everything is float32.
    """
    import torch

    cuda = torch.cuda.is_available()
    return GRPOConfig(
        output_dir=str(folder),
        seed=seed,
        num_generations=recipe.generations,
        per_device_train_batch_size=recipe.micro_batch,
        gradient_accumulation_steps=recipe.rollouts // recipe.micro_batch,
        max_completion_length=recipe.max_completion_tokens,
        temperature=recipe.temperature,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant",
        beta=recipe.beta,
        loss_type="dapo",
        reward_weights=[ACCURACY_WEIGHT, FORMAT_WEIGHT],
        max_steps=recipe.steps or -1,
        num_train_epochs=recipe.epochs or 1,
        gradient_checkpointing=recipe.gradient_checkpointing,
        bf16=recipe.precision == "bf16" and cuda and torch.cuda.is_bf16_supported(),
        use_cpu=not cuda,
        save_strategy="steps",
        save_steps=recipe.save_every,
        save_total_limit=1,
        logging_steps=1,
        logging_nan_inf_filter=False,  # a loss that is not finite must be visible
        report_to=[],
        disable_tqdm=True,
        **_vllm(recipe, image_token),
    )


def _lora(recipe: R1Recipe) -> Any:
    if recipe.lora_rank is None:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=recipe.lora_rank, lora_alpha=2 * recipe.lora_rank, target_modules="all-linear"
    )


def _vllm(recipe: R1Recipe, image_token: str) -> dict[str, Any]:
    if recipe.vllm is Rollouts.OFF:
        return {}  # TRL itself forbids the image token if transformers samples the rollouts
    mode: dict[str, Any] = {
        "use_vllm": True,
        "vllm_mode": str(recipe.vllm),
        "generation_kwargs": {"bad_words": [image_token]},
    }
    if recipe.vllm is Rollouts.SERVER:
        return {**mode, "vllm_server_base_url": recipe.vllm_url}
    return {**mode, "vllm_gpu_memory_utilization": recipe.vllm_memory}


def step_logs(history: list[dict[str, Any]]) -> list[StepLog]:
    """Return one row per optimiser step from a trainer's log.

    A number that TRL leaves out because none of its values was finite is NaN.
    """
    return [_step_log(entry) for entry in history if "rewards/accuracy_reward/mean" in entry]


def _step_log(entry: Mapping[str, Any]) -> StepLog:
    def number(name: str) -> float:
        value = entry.get(name)
        return float("nan") if value is None else float(value)

    def optional(name: str) -> float | None:
        return None if name not in entry else number(name)

    return StepLog(
        step=int(entry["step"]),
        reward=number("reward"),
        accuracy=number("rewards/accuracy_reward/mean"),
        format=number("rewards/format_reward/mean"),
        kl=optional("kl"),
        length=number("completions/mean_length"),
        clipped=number("completions/clipped_ratio"),
        entropy=optional("entropy"),
        loss=number("loss"),
        gradient_norm=optional("grad_norm"),
    )
