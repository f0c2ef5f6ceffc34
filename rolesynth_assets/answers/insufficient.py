"""The answer of a judge who cannot see the image and cannot do without it."""

INSUFFICIENT = "INSUFFICIENT_INFORMATION"
"""What such a judge answers; it counts as wrong."""


def is_insufficient(answer: str) -> bool:
    """Return whether an answer says that the image is needed, in any case and punctuation."""
    return answer.strip(" .\"'").upper().replace(" ", "_") == INSUFFICIENT
