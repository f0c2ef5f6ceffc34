"""Text from outside, as a terminal may show it."""


def printable(text: str) -> str:
    """Replace what would steer a terminal, such as escape characters in a file's name."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
