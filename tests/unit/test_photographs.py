"""What prepare may and may not open."""

import pytest
from PIL import EpsImagePlugin

from srgan_cli.data.photographs import decode, header_size
from srgan_cli.errors import InputError

POSTSCRIPT = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\n%%EndComments\nshowpage\n%%EOF\n"
)


def test_postscript_named_as_a_picture_is_never_run(tmp_path, monkeypatch):
    started = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_, **__: started.append(1))
    path = tmp_path / "program.jpg"
    path.write_bytes(POSTSCRIPT)
    with pytest.raises(InputError, match="not a readable picture"):
        decode(path, max_side=0)
    assert header_size(path) == (0, 0)
    assert not started
