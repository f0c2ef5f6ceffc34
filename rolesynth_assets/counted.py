"""A number with its noun, in the singular or the plural; it imports nothing."""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, such as 1 pair or 2,973 pairs."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def are(number: int) -> str:
    """Return the verb that goes with a number of things."""
    return "is" if number == 1 else "are"
