"""How gunicorn serves Chairside. Each number with its reason."""

import ctypes
import gc
import os
import signal
from contextlib import suppress

from gunicorn.http.unreader import SocketUnreader

# `way` must be imported here, before the workers part: by its memory they tell each other of pages.
from clinic import live_stream, way  # noqa: F401

# Bytes received at once, as many as a file is read by: what it receives beyond that it copies again for each reading.
SocketUnreader.max_body_chunk = 2**18

bind = os.environ.get("BIND", f"{os.environ.get('HOST', '127.0.0.1')}:{os.environ.get('PORT', '8000')}")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))  # one per core of the smallest machine
worker_class = "gthread"
# A live stream holds a thread for its life, a file on its way for as long as its line is slow. Beyond LIVE_STREAMS a page polls, and 24
# files at most come in: with as many that go out 16 threads remain for pages, as many as the database pool has connections.
threads = int(os.environ.get("LIVE_STREAMS", "160")) + 64
# Of a process: its streams and every browser's idle kept-alive connections, which hold no thread.
worker_connections = 1000
keepalive = 75  # longer than a proxy's 60 s: the proxy closes first and never writes into a connection that is closing
timeout = 60  # of the worker's own loop; a slow request is ended by the database's and the clients' own limits
graceful_timeout = 10  # streams end themselves at once; what is left is a request being answered
max_requests = 0  # no recycling: it would cut all streams of a process at once; growth of memory is measured instead
worker_tmp_dir = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: S108 - a heartbeat must not wait for a disk
preload_app = False  # pools, threads and locks must not be inherited through a fork
control_socket_disable = True  # nobody steers it that way; one door less
accesslog = None  # addresses name patients; the trace is in the database
loglevel = os.environ.get("LOG_LEVEL", "warning")
forwarded_allow_ips = ""  # proxies are trusted by PROXY_HOPS in the application, nowhere else


def post_worker_init(worker):
    """The application is loaded and the worker has its own signals: begin to read the outbox, and end the streams on SIGTERM."""
    live_stream.start(worker.wsgi)
    # Looking for garbage among all there is holds up every page of the process, for 0.15 s and more: what is there by now stays there and
    # is not looked through again, and what lives long is looked through once in some thousands of pages, not in a hundred.
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 50)
    # The C library keeps what was freed for later, 32 MiB of each thread and more: a worker would stay as large as its largest files made
    # it. What a file leaves goes back to the system but for 4 MiB of each thread; its pieces, of one MiB, are had from those.
    with suppress(AttributeError):  # another C library than glibc
        libc, trim_threshold, mmap_threshold = ctypes.CDLL(None), -1, -3  # as malloc.h numbers them
        libc.mallopt(mmap_threshold, 2**21)
        libc.mallopt(trim_threshold, 2**22)
    stop_worker = signal.getsignal(signal.SIGTERM)

    def stop(number, frame):
        live_stream.stop(worker.wsgi)
        stop_worker(number, frame)

    signal.signal(signal.SIGTERM, stop)


def worker_int(worker):
    """Ctrl-C: the process waits for its threads, so the streams must end first."""
    live_stream.stop(worker.wsgi)
