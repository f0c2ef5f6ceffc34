"""The settings of the platform: folders, thresholds, limits, prices and models."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

from rolesynth_assets.bounded_yaml import YamlFileError, read_yaml
from rolesynth_assets.cads.problems.rules import SelectionRules
from rolesynth_assets.captions.settings import CaptionSettings
from rolesynth_assets.clip.ranks.settings import TrainingSettings
from rolesynth_assets.data_paths import DataPaths
from rolesynth_assets.errors import InputError
from rolesynth_assets.files.cache import DEFAULT_GB, use_cache
from rolesynth_assets.files.object_path import DataPath, ObjectPath, data_path
from rolesynth_assets.images.descriptor import is_url
from rolesynth_assets.images.limits import InputLimits, use_limits
from rolesynth_assets.images.rules import IngestRules
from rolesynth_assets.mllm.cost.prices import Price, Prices
from rolesynth_assets.mllm.preflight.record import with_learned
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.pairs.settings import ScoreSettings
from rolesynth_assets.thresholds import Thresholds
from rolesynth_assets.yaml_files import FrozenModel, faults

SETTINGS_FILE = "rolesynth.yaml"
JUDGE = "ROLESYNTH_JUDGE_"
"""Prefix of the variables for the judge's own engine."""
EMBEDDED_COLLECTIVE = "embedded"
"""The collective of embedded models; it costs nothing, so it is the default."""


class SettingsError(InputError):
    """The settings file or an environment variable cannot be used; the message names it."""


class ModelPrices(FrozenModel):
    """Prices of the models that work on images; those of a collective are in its own file."""

    captioner: Prices = Prices()
    judge: Prices = Prices()


class ProblemRules(FrozenModel):
    """Which accepted candidates become problems of the synthetic set."""

    target: int | None = Field(default=None, ge=1)
    """Most problems in the set of a domain; all if unset."""
    draw_seed: int = 0
    """Seed of the draw if there are more candidates than `target`."""
    refused: tuple[str, ...] = ("suspect_label", "writer_alone")
    """Findings of extra checks that drop a problem: by default signs of a wrong reference."""

    @field_validator("refused")
    @classmethod
    def _are_findings(cls, refused: tuple[str, ...]) -> tuple[str, ...]:
        SelectionRules(refused=frozenset(refused))
        return refused

    @property
    def rules(self) -> SelectionRules:
        """The same rules as a value of the selection."""
        return SelectionRules(self.target, self.draw_seed, frozenset(self.refused))


class PodResources(FrozenModel):
    """What the pod of an asset's step asks Kubernetes for; requests and limits are the same."""

    cpus: float | None = Field(default=None, gt=0)
    """CPU cores; fractions are possible."""
    memory: str | None = Field(default=None, pattern=r"^\d+(\.\d+)?(Mi|Gi|Ti)$")
    """Memory, such as `16Gi`."""
    gpus: int = Field(default=0, ge=0)
    """GPUs of NVIDIA's device plugin."""
    node_selector: dict[str, str] = Field(default_factory=dict)
    """Labels of the nodes on which it may run."""


class Settings(FrozenModel):
    """Everything that is not part of a role set, a recipe or a benchmark.

    Attributes:
        data_root: folder of all tables and checkpoints, or a URL such as ``s3://bucket/prefix``.
        project: folder with a user's own ``role_sets/``, ``recipes/``, ``benchmarks/``, ``seeds/``
            and ``collectives/``.
        images: folder that is watched for new images, if any, or the URL of a bucket's prefix.
        shard_size: images in a shard made from a folder.
        licence: licence text of the images, for the dataset card.
        captioner: the engine that writes captions and roles.
        judge: the engine that scores captions.
        collective: name of the collective that makes problems. The default is the embedded one with
            an embedded captioner, and none with any other.
        captions: lengths, sampling and cleaning of captions.
        scores: sampling of the judge.
        problems: rules by which accepted candidates become problems.
        thresholds: bounds of the checks.
        limits: bounds on the cost of one image, archive, table or folder.
        ingest: what happens to duplicates and to missing files.
        prices: prices of captioner and judge; an unset price counts as 0.
        max_refresh_cost: most that one scheduled refresh may cost, in the currency of the prices.
        executor: where the steps of a run that Dagster launches are executed: in processes of the
            run's machine, or in a pod each (`kubernetes`, with the extra `k8s`).
        pods: with executor `kubernetes`, the resources of a step's pod by asset name; an asset
            without an entry gets those of the run launcher.
        pixel_cache_gb: most disk space below the data root for decoded images of CLIP trainings,
            GB; an image of 224 pixels takes 0.00015. At most half of the free disk is taken. With 0
            none are kept, and a set that does not fit in 4 GiB of memory is decoded in each epoch.
        cache: folder of this machine for copies of what a data root in a bucket holds; by default
            `rolesynth` in the user's cache folder.
        cache_gb: most disk space for copies of checkpoints and other folders, GB; those that were
            used within an hour stay.
        training: how many processes train a CLIP model.
    """

    data_root: Annotated[DataPath, BeforeValidator(data_path)] = Path(".rolesynth")
    project: Path = Path()
    images: Path | str | None = None
    shard_size: int = Field(default=10_000, ge=1)
    licence: str = "The licence of the images was not stated (set `licence` in rolesynth.yaml)."
    captioner: EngineSettings = EngineSettings()
    judge: EngineSettings = EngineSettings()
    collective: str = ""
    captions: CaptionSettings = CaptionSettings()
    scores: ScoreSettings = ScoreSettings()
    problems: ProblemRules = ProblemRules()
    thresholds: Thresholds = Thresholds()
    limits: InputLimits = InputLimits()
    ingest: IngestRules = IngestRules()
    prices: ModelPrices = ModelPrices()
    max_refresh_cost: Price | None = None
    executor: Literal["processes", "kubernetes"] = "processes"
    pods: dict[str, PodResources] = Field(default_factory=dict)
    pixel_cache_gb: float = Field(default=50.0, ge=0)
    cache: Path | None = None
    cache_gb: float = Field(default=DEFAULT_GB, gt=0)
    training: TrainingSettings = TrainingSettings()

    @model_validator(mode="after")
    def _cap_has_prices(self) -> Settings:
        if self.max_refresh_cost is None:
            return self
        for name in ("captioner", "judge"):
            if getattr(self, name).paid and not getattr(self.prices, name).known:
                raise ValueError(
                    f"max_refresh_cost has no effect while no price of the {name} is set; set "
                    f"prices.{name}.per_million_prompt_tokens and the prices beside it"
                )
        return self

    @classmethod
    def load(
        cls, environ: Mapping[str, str] | None = None, *, any_layout: bool = False
    ) -> Settings:
        """Read `rolesynth.yaml` of the project folder, then the environment, which overrides it.

        ROLESYNTH_PROJECT and ROLESYNTH_DATA name the folders, ROLESYNTH_IMAGES the watched folder
        or a bucket's URL, ROLESYNTH_COLLECTIVE the collective. ROLESYNTH_ENGINE and the variables
        beside it configure the engine. ROLESYNTH_JUDGE_ENGINE and the variables beside it configure
        another engine for the judge, which otherwise uses the captioner's.

        Args:
            environ: the environment; that of this process if None.
            any_layout: whether the data root may be one of an earlier version.

        Raises:
            SettingsError: a value is not valid, or the data root is to be migrated first.
        """
        environ = os.environ if environ is None else environ
        project = Path(environ.get("ROLESYNTH_PROJECT") or ".").resolve()
        values = read_settings_file(project / SETTINGS_FILE)
        values["project"] = project
        values["data_root"] = _data_root(
            project, environ.get("ROLESYNTH_DATA") or values.get("data_root") or ".rolesynth"
        )
        if not any_layout:
            _refuse_earlier_layout(values["data_root"])
        if cache := environ.get("ROLESYNTH_CACHE") or values.get("cache"):
            values["cache"] = project / Path(cache).expanduser()
        if images := environ.get("ROLESYNTH_IMAGES") or values.get("images"):
            values["images"] = images if is_url(images) else project / images
        if collective := environ.get("ROLESYNTH_COLLECTIVE"):
            values["collective"] = collective
        values["captioner"] = with_learned(
            values["data_root"], EngineSettings.from_env(environ=environ)
        )
        if not values.get("collective") and values["captioner"].engine == "embedded":
            values["collective"] = EMBEDDED_COLLECTIVE
        judge = _judge(environ)
        values["judge"] = with_learned(values["data_root"], judge) if judge else values["captioner"]
        try:
            settings = cls(**values)
        except ValidationError as error:
            problems = "; ".join(faults(error, SETTINGS_FILE, cls))
            raise SettingsError(f"{project / SETTINGS_FILE} is not valid: {problems}") from None
        use_limits(settings.limits)
        use_cache(settings.cache, settings.cache_gb)
        return settings

    @property
    def role_sets(self) -> Path:
        """Folder of a user's role sets."""
        return self.project / "role_sets"

    @property
    def recipes(self) -> Path:
        """Folder of a user's recipes."""
        return self.project / "recipes"

    @property
    def benchmarks(self) -> Path:
        """Folder of a user's benchmark tasks."""
        return self.project / "benchmarks"

    @property
    def seeds(self) -> Path:
        """Folder of a user's seeds, with a file or a folder for each domain."""
        return self.project / "seeds"

    @property
    def collectives(self) -> Path:
        """Folder of a user's collectives."""
        return self.project / "collectives"

    @property
    def paths(self) -> DataPaths:
        """Where each thing below the data root lies."""
        return DataPaths(self.data_root)


def _refuse_earlier_layout(data_root: DataPath) -> None:
    """Raise if an earlier version wrote the data root and nobody has migrated it."""
    if isinstance(data_root, Path) and (old := DataPaths(data_root).duckdb_file).exists():
        raise SettingsError(
            f"An earlier version of rolesynth wrote this data root ({old}): run `rolesynth "
            "migrate` once, and then this again."
        )


def _data_root(project: Path, written: str | Path) -> DataPath:
    """Return the data root: a folder, relative to the project, or a place in a bucket."""
    try:
        root = data_path(str(written))
    except InputError as error:
        raise SettingsError(f"data_root (ROLESYNTH_DATA) cannot be used: {error}") from None
    return root if isinstance(root, ObjectPath) else project / root


def _judge(environ: Mapping[str, str]) -> EngineSettings | None:
    """Return the judge's own engine; None if no variable names one."""
    named = sorted(name for name in environ if name.startswith(JUDGE) and environ[name].strip())
    if named and f"{JUDGE}ENGINE" not in named:
        raise SettingsError(
            f"{', '.join(named)}: the judge does not inherit the captioner's settings; set "
            f"{JUDGE}ENGINE (embedded, openai, openai-batch or vllm) and the variables that it "
            "needs as well"
        )
    return EngineSettings.from_env(JUDGE, environ) if named else None


def read_settings_file(path: Path) -> dict:
    """Return the content of a settings file as it is written; nothing if there is no file.

    Raises:
        SettingsError: the file is no mapping, or names what only the environment sets.
    """
    if not path.is_file():
        return {}
    try:
        content = read_yaml(path)
    except YamlFileError as error:
        raise SettingsError(f"{path} cannot be read as YAML: {error}") from error
    content = content or {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path} must be a mapping such as `shard_size: 10000`")
    engines = sorted({"captioner", "judge"} & set(content))
    if engines:
        raise SettingsError(
            f"{path}: {', '.join(engines)}: engines and their keys are set by environment "
            "variables (ROLESYNTH_ENGINE, ROLESYNTH_BASE_URL, ROLESYNTH_MODEL, ROLESYNTH_API_KEY)"
        )
    return content
