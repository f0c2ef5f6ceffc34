import io

import pytest
from PIL import Image


@pytest.fixture
def picture():
    """Return a maker of encoded images."""

    def make(colour="red", size=(32, 24), form="PNG", mode="RGB") -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", size, colour).convert(mode).save(buffer, form)
        return buffer.getvalue()

    return make
