# The image of Chairside: what scripts/setup.py installs on a machine, from the same lists, for a process without root.
#   docker build -t chairside .                     the image that serves
#   docker build -t chairside-tests --target tests . and run it: everything that `make test` tests
FROM python:3.11-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/chairside
COPY scripts/apt-packages.txt scripts/
RUN apt-get update \
 && sed '/^#/d' scripts/apt-packages.txt | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*

# Python packages, each checked by its hash.
FROM base AS python
COPY scripts/setup.py scripts/
COPY requirements.lock ./
RUN python scripts/setup.py --only python

# The pinned npm packages (with the Node.js of requirements-node.lock) and the static files made of them.
FROM python AS frontend
COPY requirements-node.lock package.json package-lock.json ./
COPY scripts/frontend.py scripts/
COPY clinic/static clinic/static
RUN python scripts/setup.py --only frontend

FROM python AS tests
COPY scripts/apt-packages-test.txt scripts/
RUN apt-get update \
 && sed '/^#/d' scripts/apt-packages-test.txt | DEBIAN_FRONTEND=noninteractive xargs apt-get install -y --no-install-recommends \
 && rm -rf /var/lib/apt/lists/*
COPY . .
COPY --from=frontend /srv/chairside/node_modules node_modules
RUN python scripts/setup.py --only python --tests && python scripts/setup.py --only frontend
CMD ["make", "test"]

FROM base AS app
RUN useradd --system --create-home --uid 10001 chairside
COPY --from=python /srv/chairside/.venv .venv
COPY wsgi.py gunicorn.conf.py ./
COPY migrations migrations
COPY scripts/run.py scripts/
COPY clinic clinic
COPY --from=frontend /srv/chairside/clinic/static/vendor clinic/static/vendor
USER chairside
ARG COMMIT=""
ENV COMMIT=$COMMIT CHAIRSIDE_MODE=production PATH=/srv/chairside/.venv/bin:$PATH FLASK_APP=wsgi PORT=8000
EXPOSE 8000
# Alive, not ready: a database that is away must not restart every process.
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['PORT'] + '/healthz', timeout=4)"]
# tini takes leave of processes that lost their parent; run.py watches the printer and the web server.
ENTRYPOINT ["tini", "--"]
CMD ["python", "scripts/run.py"]
