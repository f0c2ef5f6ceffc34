"""The captioner and the judge of the asset tests: deterministic, counted, failing on demand."""

from collections import Counter
from collections.abc import Callable

from rolesynth_assets.embedded.script.member import answer
from rolesynth_assets.mllm.engine import ChatRequest
from rolesynth_assets.mllm.settings import EngineSettings
from rolesynth_assets.pairs.judge import judge_prompt
from rolesynth_assets.store.digests import digest
from rolesynth_assets_tests.captions.fake_engine import Fail, FakeEngine, write_words

Write = Callable[[ChatRequest], str]


def hashed_score(request: ChatRequest) -> str:
    """A score of 1-100 drawn from the request's key, and a reason."""
    return f"{1 + int(digest('fake score', request.key)[:8], 16) % 100}\nas its hash says"


class FakeModels:
    """Stands in for `make_engine`: every engine it makes counts its requests here.

    Attributes:
        requests: all requests so far, in the order taken.
        caption: writes the captions.
        judge: writes the judge's answers.
        fail: fails requests.
    """

    def __init__(self) -> None:
        self.requests: list[ChatRequest] = []
        self.caption: Write = write_words
        self.judge: Write = hashed_score
        self.fail: Fail | None = None

    def make(self, settings: EngineSettings) -> FakeEngine:
        engine = FakeEngine(model=settings.model or "fake", write=self._answer, fail=self.fail)
        engine.requests = self.requests
        return engine

    def forget(self) -> None:
        """Start counting anew."""
        self.requests.clear()

    @property
    def captioned(self) -> list[ChatRequest]:
        return [r for r in self.requests if r.images and r.system != judge_prompt().system]

    @property
    def judged(self) -> list[ChatRequest]:
        return [r for r in self.requests if r.system == judge_prompt().system]

    def captions_by_prompt(self) -> Counter[str]:
        return Counter(request.prompt for request in self.captioned)

    def _answer(self, request: ChatRequest) -> str:
        if request.system == judge_prompt().system:
            return self.judge(request)
        if not request.images:
            return answer(request) or ""
        return self.caption(request)
