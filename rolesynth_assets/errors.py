"""What a person gave and can put right, told apart from faults of the program."""


class InputError(ValueError):
    """A file or a setting of a user's cannot be used; the message says which, and the way out."""
