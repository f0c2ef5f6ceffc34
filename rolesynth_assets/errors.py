"""The error for bad input, which a user can correct, as opposed to faults of the program."""


class InputError(ValueError):
    """A user's file or setting cannot be used; the message names it and the way out."""
