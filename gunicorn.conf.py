"""How gunicorn serves Chairside. Each number with its reason."""

import os
import signal

from clinic import live_stream

bind = os.environ.get("BIND", f"127.0.0.1:{os.environ.get('PORT', '8000')}")
workers = int(os.environ.get("WEB_CONCURRENCY", "2"))
worker_class = "gthread"
# A live stream holds a thread for its life (facts.md, SSE 1). Beyond LIVE_STREAMS a page polls, so 32 threads always remain
# for ordinary requests: more than the database pool has connections.
threads = int(os.environ.get("LIVE_STREAMS", "160")) + 32
worker_connections = 1000
keepalive = 5
timeout = 60  # of the worker's own loop; a slow request is ended by the database's and the clients' own limits
graceful_timeout = 10  # streams end themselves at once; what is left is a request being answered
preload_app = False  # pools, threads and locks must not be inherited through a fork
control_socket_disable = True  # nobody steers it that way; one door less
accesslog = None  # addresses name patients; the trace is in the database


def post_worker_init(worker):
    """The application is loaded and the worker has its own signals: begin to read the outbox, and end the streams on SIGTERM."""
    live_stream.start(worker.wsgi)
    stop_worker = signal.getsignal(signal.SIGTERM)

    def stop(number, frame):
        live_stream.stop(worker.wsgi)
        stop_worker(number, frame)

    signal.signal(signal.SIGTERM, stop)


def worker_int(worker):
    """Ctrl-C: the process waits for its threads, so the streams must end first."""
    live_stream.stop(worker.wsgi)
