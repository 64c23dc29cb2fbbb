"""A strict double of Cloudflare R2: it refuses what R2 refuses, over TLS, in front of the real SeaweedFS. Sources: docs/decisions/0043."""

import http.client
import re
import ssl
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from tests.authority import make_authority, make_certificate
from tests.services import ObjectStore

SMALLEST_PART = 5 * 2**20  # bytes, of every part but the last
MOST_PARTS = 10_000
BLOCK = 2**16
# What R2 does not know, in headers and as the name of what is asked about.
HEADERS = re.compile(
    r"x-amz-(trailer|object-lock-|server-side-encryption$|server-side-encryption-aws|acl$|grant-|tagging|expected-bucket-owner"
    r"|website-|mfa$|bypass-governance|decoded-content-length|sdk-checksum-algorithm)"
)
CHECKSUMS = {"x-amz-checksum-sha256", "x-amz-checksum-crc64nvme"}
ABOUT = {
    *("acl", "tagging", "versioning", "versions", "object-lock", "retention", "legal-hold", "policy", "replication"),
    *(
        "inventory",
        "notification",
        "website",
        "logging",
        "accelerate",
        "requestPayment",
        "analytics",
        "metrics",
        "torrent",
    ),
    *("restore", "select", "ownershipControls", "intelligent-tiering", "delete"),
}


class R2:
    """Looks like an `ObjectStore`, with `authority` (PEM) for whoever checks its certificate. `refused`: what it refused, in words."""

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        make_authority(folder)
        make_certificate(folder, "r2", "127.0.0.1")
        self.authority = folder / "ca.pem"
        self.store, self.bucket = store, store.bucket
        self.access_key, self.secret_key = store.access_key, store.secret_key
        self.refused: list[str] = []
        self.sizes: dict[str, dict[int, int]] = defaultdict(dict)  # of an upload: part number to bytes
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Asked", (_Asked,), {"r2": self}))
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.num_tickets = 0  # which a client that waits for "100 Continue" would take for the answer
        context.load_cert_chain(folder / "r2.pem", folder / "r2.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.endpoint = f"https://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Asked(BaseHTTPRequestHandler):
    """One request: refused, or passed on to the store byte by byte."""

    r2: R2
    protocol_version = "HTTP/1.1"
    timeout = 60

    def handle_expect_100(self) -> bool:
        return True  # R2 never says "100 Continue"

    def log_message(self, *_: object) -> None:
        pass

    def do_any(self) -> None:
        self.about = parse_qs(urlsplit(self.path).query, keep_blank_values=True)
        refusal = self.refusal()
        if refusal is not None:
            self.refuse(*refusal)
        else:
            self.pass_on()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_any  # noqa: N815 - the names the server looks for

    def refusal(self) -> tuple[int, str, str] | None:
        """Status, code and words, if R2 would not do this."""
        for name, value in self.headers.items():
            name = name.lower()
            if HEADERS.match(name) or (name.startswith("x-amz-checksum-") and name not in CHECKSUMS):
                return 501, "NotImplemented", f"Header '{name}' with value '{value}' not implemented"
            if name == "x-amz-storage-class" and value not in ("STANDARD", "STANDARD_IA"):
                return 400, "InvalidStorageClass", "The storage class you specified is not valid."
        if self.headers.get("x-amz-content-sha256", "").startswith("STREAMING-"):
            return 501, "NotImplemented", "STREAMING-UNSIGNED-PAYLOAD-TRAILER not implemented"
        if "chunked" in (self.headers.get("Transfer-Encoding", ""), self.headers.get("Content-Encoding", "")):
            return 411, "MissingContentLength", "You must provide the Content-Length HTTP header."
        for about in ABOUT & set(self.about):
            return 501, "NotImplemented", f"{self.command} ?{about} not implemented"
        if self.command == "POST" and self.headers.get_content_type() == "multipart/form-data":
            return 501, "NotImplemented", "Presigned POST not implemented"
        if self.command == "PUT" and "partNumber" in self.about:
            return self.part_refusal()
        if self.command == "POST" and "uploadId" in self.about:
            return self.complete_refusal()
        return None

    def part_refusal(self) -> tuple[int, str, str] | None:
        if any(name.lower().startswith("x-amz-checksum-") for name in self.headers):
            return 501, "NotImplemented", "Checksums of parts not implemented"
        number = int(self.about["partNumber"][0])
        if not 1 <= number <= MOST_PARTS:
            return 400, "InvalidArgument", "Part number must be an integer between 1 and 10000."
        self.r2.sizes[self.about["uploadId"][0]].pop(number, None)  # a second try that fails has lost the first
        return None

    def complete_refusal(self) -> tuple[int, str, str] | None:
        if any(self.headers.get(name) for name in ("If-None-Match", "If-Match")):
            return 501, "NotImplemented", "Conditional CompleteMultipartUpload not implemented"
        sizes = [size for _, size in sorted(self.r2.sizes[self.about["uploadId"][0]].items())]
        if len(set(sizes[:-1])) > 1 or (len(sizes) > 1 and sizes[-1] > sizes[0]):
            return 400, "InvalidPart", "All non-trailing parts must have the same length."
        if any(size < SMALLEST_PART for size in sizes[:-1]):
            return 400, "EntityTooSmall", "Your proposed upload is smaller than the minimum allowed object size."
        return None

    def refuse(self, status: int, code: str, words: str) -> None:
        self.r2.refused.append(f"{self.command} {self.path}: {code}, {words}")
        self.close_connection = True  # what is left of the body is not read
        body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{words}</Message></Error>".encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": "application/xml",
            "Content-Length": str(len(body)),
            "Connection": "close",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def pass_on(self) -> None:
        store = urlsplit(self.r2.store.endpoint)
        wire = http.client.HTTPConnection(store.hostname or "", store.port, timeout=60)
        left = size = int(self.headers.get("Content-Length", 0))
        try:
            wire.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in ("connection", "expect"):
                    wire.putheader(name, value)
            wire.endheaders()
            while left:
                block = self.rfile.read(min(left, BLOCK))
                if not block:
                    self.close_connection = True
                    return  # the client went away
                wire.send(block)
                left -= len(block)
            answer = wire.getresponse()
            if answer.status == 200 and self.command == "PUT" and "partNumber" in self.about:
                self.r2.sizes[self.about["uploadId"][0]][int(self.about["partNumber"][0])] = size
            self.give(answer)
        except OSError:
            self.close_connection = True
        finally:
            wire.close()

    def give(self, answer: http.client.HTTPResponse) -> None:
        self.send_response(answer.status)
        has_length = answer.getheader("Content-Length") is not None
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        bare = self.command == "HEAD" or answer.status in (204, 304)
        body = None if has_length or bare else answer.read()
        if body is not None:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if bare:
            return
        if body is not None:
            self.wfile.write(body)
            return
        while block := answer.read(BLOCK):
            self.wfile.write(block)
