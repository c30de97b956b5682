from __future__ import annotations

import dataclasses
import hashlib
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import archives
import numpy as np
import pytest

from resnet_scratch.compute import locks
from resnet_scratch.data import DataError, cifar10, load
from resnet_scratch.data.download import download

CONTENT = np.random.default_rng(0).bytes(300_000)
MD5 = hashlib.md5(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """/whole has the content, /cut breaks off after half of what is asked for, /short does so without having said how
    long it is, /old knows no ranges, /slow is slow in the middle."""

    files = {"/whole": CONTENT, "/cut": CONTENT, "/old": CONTENT, "/wrong": CONTENT[::-1], "/long": CONTENT * 2,
             "/slow": CONTENT, "/short": CONTENT}  # fmt: skip
    asked: list = []

    def do_GET(self):
        given = self.headers["Range"]
        self.asked.append((self.path, given))
        if self.path not in self.files:
            return self.send_error(404)
        begin = int(given.split("=")[1].rstrip("-")) if given and self.path != "/old" else 0
        content = self.files[self.path][begin:]
        self.send_response(206 if begin else 200)
        if self.path != "/short":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        half = len(content) // 2
        self.wfile.write(content[:half])
        time.sleep(0.3 if self.path == "/slow" else 0)
        self.wfile.write(content[half:] if self.path not in ("/cut", "/short") else b"")

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetch(server, tmp_path, monkeypatch):
    monkeypatch.setattr(Handler, "asked", [])
    return lambda *pages: download([server + page for page in pages], tmp_path, "file", len(CONTENT), MD5)


def test_servers_are_tried_in_turn(fetch, tmp_path):
    assert fetch("/nowhere", "/wrong", "/long", "/whole", "/old").read_bytes() == CONTENT
    assert [page for page, _ in Handler.asked] == ["/nowhere", "/wrong", "/long", "/whole"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "file.lock"]
    fetch("/nowhere")  # it is there already
    assert len(Handler.asked) == 4


def test_a_download_that_broke_off_goes_on_where_it_stopped(fetch, tmp_path):
    with pytest.raises(DataError, match="file could not be downloaded .*127.0.0.1:[0-9]*: the connection broke off"):
        fetch("/cut")
    assert (tmp_path / "file.part").read_bytes() == CONTENT[: 2 * 2**16]  # whole chunks of the 150,000 bytes sent
    assert fetch("/cut", "/whole").read_bytes() == CONTENT
    assert Handler.asked == [("/cut", "bytes=0-"), ("/cut", "bytes=131072-"), ("/whole", "bytes=196608-")]


def test_an_answer_that_ends_early_is_kept_too(fetch, tmp_path):
    with pytest.raises(DataError, match="127.0.0.1:[0-9]*: the server stopped after 150,000 of the 300,000 bytes"):
        fetch("/short")
    assert (tmp_path / "file.part").read_bytes() == CONTENT[:150_000]
    assert fetch("/whole").read_bytes() == CONTENT and Handler.asked[-1] == ("/whole", "bytes=150000-")


def test_a_server_that_knows_no_ranges_sends_all_again(fetch, tmp_path):
    (tmp_path / "file.part").write_bytes(CONTENT[:1000])
    assert fetch("/old").read_bytes() == CONTENT


def test_a_part_that_is_wrong_is_thrown_away(fetch, tmp_path):
    for length in (1000, len(CONTENT), len(CONTENT) + 1):
        (tmp_path / "file.part").write_bytes(bytes(length))
        assert fetch("/whole", "/whole").read_bytes() == CONTENT
        (tmp_path / "file").unlink()


def test_each_failure_is_named(fetch, server):
    host = server.removeprefix("http://")
    told = f"{host}, {host}: 404 Not Found; {host}: it has another file of this name, with the MD5 "
    told += hashlib.md5(CONTENT[::-1]).hexdigest()
    with pytest.raises(DataError, match=told):
        fetch("/nowhere", "/wrong", "/nowhere2")


def test_of_several_that_want_it_at_once_one_downloads_and_the_others_wait(fetch, monkeypatch):
    monkeypatch.setattr(locks, "POLL_SECONDS", 0.01)
    with ThreadPoolExecutor(4) as four:  # a lock keeps threads apart as it does processes
        for path in four.map(lambda _: fetch("/slow"), range(4)):
            assert path.read_bytes() == CONTENT
    assert Handler.asked == [("/slow", "bytes=0-")]


def test_a_file_in_a_folder_that_cannot_be_written_is_used(fetch, tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(CONTENT)

    def no_permission(*_):
        raise PermissionError

    monkeypatch.setattr("resnet_scratch.compute.locks.os.open", no_permission)
    assert fetch("/whole") == tmp_path / "file" and Handler.asked == []


@pytest.fixture
def versions(server, tmp_path, monkeypatch):
    """CIFAR-10 as small archives on the server: the python version at /nowhere, the binary one."""
    monkeypatch.delenv("RESNET_SCRATCH_DATA", raising=False)
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "cache")
    monkeypatch.setattr(Handler, "asked", [])
    versions = []
    for version, page in zip(archives.CIFAR10.versions, ("/nowhere", "/binary")):
        content = archives.write(tmp_path / "x", version).read_bytes()
        monkeypatch.setitem(Handler.files, "/binary", content)
        md5 = hashlib.md5(content).hexdigest()
        versions.append(dataclasses.replace(version, size=len(content), md5=md5, urls=(server + page,)))
    monkeypatch.setattr(cifar10, "CIFAR10", dataclasses.replace(archives.CIFAR10, versions=tuple(versions)))
    return versions


def test_cifar10_is_downloaded_once_from_whoever_has_it(versions):
    for _ in range(2):
        assert load("cifar10").test_labels.tolist() == [5, 6, 7]
    assert [page for page, _ in Handler.asked] == ["/nowhere", "/binary"]


def test_without_a_network_the_message_says_what_to_do(versions, monkeypatch, capfd):
    nowhere = tuple(dataclasses.replace(v, urls=("http://127.0.0.1:9/x",)) for v in versions)  # nobody listens there
    monkeypatch.setattr(cifar10, "CIFAR10", dataclasses.replace(archives.CIFAR10, versions=nowhere))
    told = r"python.tar.gz could not be downloaded \(127.0.0.1:9: no connection\); .*binary.tar.gz could not be .*-dir"
    with pytest.raises(DataError, match=told):
        load("cifar10")
    assert capfd.readouterr().err == ""  # pooch announces each attempt, in lines of any length


def test_a_download_says_what_comes_from_where(versions, capfd):
    load("cifar10")
    first, *_ = capfd.readouterr().err.splitlines()
    assert re.fullmatch(r"Downloading cifar-10-binary.tar.gz \(0 MB\) from 127.0.0.1:\d+", first)
