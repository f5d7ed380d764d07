"""A server on this machine that gives a file as tests want it: in parts, broken off, changed meanwhile, too slowly."""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class FileServer:
    """Serves ``content``; knows Range and If-Range unless ``ranges`` is off.

    Attributes
    ----------
    breaks : list of int
        For each of the next requests, after how many bytes the connection is cut.
    drip : float
        Seconds between single bytes; 0 sends everything at once.
    marks : dict
        Headers that identify the file's version; the SHA-256 as ETag by default.
    seen : list of (status, Range, If-Range)
    """

    def __init__(self, content: bytes, ranges: bool = True) -> None:
        self.content, self.ranges = content, ranges
        self.breaks: list[int] = []
        self.drip = 0.0
        self.marks: dict[str, str] | None = None
        self.announce = True
        self.seen: list[tuple[int, str | None, str | None]] = []
        self.stopped = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.http.server_port}/tiny.zip"

    def close(self) -> None:
        self.stopped.set()
        self.http.shutdown()
        self.http.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        marks = {"ETag": f'"{hashlib.sha256(self.content).hexdigest()}"'} if self.marks is None else self.marks
        wanted, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        match = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        first = int(match[1]) if match and self.ranges and condition in (None, *marks.values()) else 0
        status = 206 if first else 200
        if first >= len(self.content) > 0:
            status = 416
        self.seen.append((status, wanted, condition))
        handler.send_response(status)
        for name, value in marks.items():
            handler.send_header(name, value)
        body = b"" if status == 416 else self.content[first:]
        if status == 206:
            handler.send_header("Content-Range", f"bytes {first}-{len(self.content) - 1}/{len(self.content)}")
        if self.announce:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if self.breaks:
            body = body[: self.breaks.pop(0)]
        try:
            if self.drip:
                for number in range(len(body)):
                    handler.wfile.write(body[number : number + 1])
                    if self.stopped.wait(self.drip):
                        return
            else:
                handler.wfile.write(body)
        except OSError:
            pass


@contextmanager
def serving(content: bytes, ranges: bool = True) -> Iterator[FileServer]:
    """A ``FileServer`` for a block."""
    server = FileServer(content, ranges)
    try:
        yield server
    finally:
        server.close()
