from rolesynth_assets.pairs.judge import JudgePrompt, judge_prompt
from rolesynth_assets.roles.role import PromptTemplates, Role


def make_role(**changes: str) -> Role:
    fields = {"name": "Observer", "responsibilities": "Name each object.", "system": "Write."}
    templates = PromptTemplates(long="{responsibilities} Long.", short="{responsibilities} Short.")
    return Role(templates=templates, **{**fields, **changes})


def test_prompt_words_are_within_the_small_models_context() -> None:
    prompt = judge_prompt()
    instruction = prompt.template.split("{caption}")[1]
    assert len(prompt.system.split()) <= 25
    assert len(instruction.split()) <= 40
    assert "1 to 100" in instruction


def test_prompt_puts_braces_of_a_caption_through_unchanged() -> None:
    role = make_role(responsibilities="Name {caption} here.")
    text = judge_prompt().render(role, "A  {name} sign.\nAnd {0}.")
    assert text.startswith("Role: Observer. Name {caption} here. Caption: (what")
    assert " A {name} sign. And {0}. " in text
    assert "\n" not in text
    plain = "Role: Observer. Name {caption} here. Caption: A {0}."
    assert judge_prompt().render_unmarked(role, "A  {0}.").startswith(plain)


def test_prompt_fingerprint_follows_the_wording() -> None:
    first = JudgePrompt("system", "{caption}")
    assert first.fingerprint == JudgePrompt("system", "{caption}").fingerprint
    assert first.fingerprint != JudgePrompt("System", "{caption}").fingerprint
    assert first.fingerprint != JudgePrompt("system", "{caption} now").fingerprint
