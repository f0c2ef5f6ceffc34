"""The answer of a judge who cannot see the image and would need it."""

INSUFFICIENT = "INSUFFICIENT_INFORMATION"
"""The answer of such a judge, which counts as wrong."""


def is_insufficient(answer: str) -> bool:
    """Return whether an answer states that the image is needed, in any case and punctuation."""
    return answer.strip(" .\"'").upper().replace(" ", "_") == INSUFFICIENT
