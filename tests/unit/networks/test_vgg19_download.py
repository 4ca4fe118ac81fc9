import hashlib
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.error import HTTPError

import pytest

from srgan_cli.engine.networks.vgg import fetch_vgg19
from srgan_cli.errors import ResourceError
from srgan_cli.observer import SilentObserver
from srgan_cli.paths import downloads_dir

pytestmark = pytest.mark.usefixtures("home")

CONTENT = bytes(range(256)) * 12_000  # Three megabytes: several reads.
DIGEST = hashlib.sha256(CONTENT).hexdigest()
NAME = f"vgg19-{DIGEST[:8]}.pth"


class Watcher(SilentObserver):
    """Remembers the bars that were opened and how far they came."""

    def __init__(self):
        self.bars = []

    @contextmanager
    def bar(self, title, *, total, unit):
        self.bars.append({"title": title, "total": total, "unit": unit, "done": 0, "calls": 0})
        yield self

    def advance(self, amount=1, **_figures):
        self.bars[-1]["done"] += amount
        self.bars[-1]["calls"] += 1


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.server.status != 200:
            self.send_error(self.server.status)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(self.server.content)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.content, server.status, server.requests = CONTENT, 200, []
        server.url = f"http://127.0.0.1:{server.server_port}/models/{NAME}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def _refusal(url):
    with pytest.raises(ResourceError) as caught:
        fetch_vgg19(SilentObserver(), url)
    assert url in caught.value.message
    assert "\n" not in caught.value.message
    assert "--perceptual vgg16" in caught.value.hint
    assert str(downloads_dir() / url.rpartition("/")[2]) in caught.value.hint
    assert list(downloads_dir().iterdir()) == []
    if isinstance(caught.value.__cause__, HTTPError):
        caught.value.__cause__.close()  # Its connection would be reported as left open.
    return caught.value.message


def test_the_file_is_downloaded_once_with_progress(server):
    watcher = Watcher()
    path = fetch_vgg19(watcher, server.url)
    assert path == downloads_dir() / NAME
    assert path.read_bytes() == CONTENT
    assert list(downloads_dir().iterdir()) == [path]
    (bar,) = watcher.bars
    assert (bar["total"], bar["done"], bar["unit"]) == (len(CONTENT), len(CONTENT), "B")
    assert bar["calls"] > 1

    assert fetch_vgg19(watcher, server.url) == path
    assert server.requests == [f"/models/{NAME}"]


def test_a_download_of_other_content_is_discarded(server):
    server.content = CONTENT[::-1]
    assert f"does not match its hash {DIGEST[:8]}" in _refusal(server.url)


def test_a_download_that_breaks_off_is_discarded(server):
    server.content = CONTENT[:1_000_000]
    _refusal(server.url)


@pytest.mark.parametrize("status", [404, 500])
def test_a_server_that_refuses_is_reported(server, status):
    server.status = status
    assert "cannot be downloaded" in _refusal(server.url)


def test_a_server_that_is_gone_is_reported():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert "refused" in _refusal(f"http://127.0.0.1:{port}/{NAME}")


def test_a_server_that_speaks_something_else_is_reported():
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"welcome to the hotel network\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        _refusal(f"http://127.0.0.1:{listener.getsockname()[1]}/{NAME}")
        thread.join()
