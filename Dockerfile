# The service's image: docs/reference/image.md. `docker build .` or `make image`.
#
# The base is any glibc image with Python 3.11 or newer as python3 (and venv) on its PATH. The default is Docker's official
# Python 3.11.16 on Debian 12, by the digest of its multi-architecture index. It was read in public files that agree on it
# (two of them say that they checked it against the registry, on 2026-09-21 and 2026-09-22), not from the registry itself:
# `docker buildx imagetools inspect python:3.11-slim-bookworm` tells the newest.
ARG PYTHON_BASE=python:3.11-slim-bookworm@sha256:a36c24f9cbdf4fd0f52d67f0823eeac19c2028c637cecc392d97f980d4fec56b

FROM ${PYTHON_BASE} AS build
ENV PYTHONDONTWRITEBYTECODE=1 UV_LINK_MODE=copy UV_NO_CACHE=1 UV_SYSTEM_CERTS=1
WORKDIR /src
COPY requirements/image.txt requirements/otel.txt requirements/
RUN python3 -m venv /tools \
    && /tools/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements/image.txt \
    && /tools/bin/uv venv --no-python-downloads --python "$(command -v python3)" /opt/ecs-admission \
    && /tools/bin/uv pip install --python /opt/ecs-admission/bin/python --require-hashes --only-binary :all: \
        -r requirements/otel.txt
COPY pyproject.toml README.md LICENSE ./
COPY service service
RUN /tools/bin/uv build --wheel --no-build-isolation --python /tools/bin/python --out-dir /dist . \
    && /tools/bin/uv pip install --python /opt/ecs-admission/bin/python --no-deps /dist/*.whl \
    && rm -f /opt/ecs-admission/.lock /opt/ecs-admission/.gitignore /opt/ecs-admission/CACHEDIR.TAG \
        /opt/ecs-admission/bin/activate* /opt/ecs-admission/bin/deactivate*
# Python's own modules come uncompiled with the default base, and a root file system that is read-only keeps nothing: all
# are compiled here, beside the environment. The detector's rules too, in 3 s; the service then only loads them. Their
# library trusts a cache that its own user owns and nobody else may write: these files get the user and modes of run time.
ENV PYTHONPYCACHEPREFIX=/opt/ecs-admission/pycache
RUN library="$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')" \
    && /opt/ecs-admission/bin/python -m compileall -q --invalidation-mode unchecked-hash -j 0 \
        -x '/(test|tests|idlelib|lib2to3|site-packages|dist-packages)/' "$library" \
    && /opt/ecs-admission/bin/python -m compileall -q --invalidation-mode unchecked-hash -j 0 /opt/ecs-admission/lib \
    && mkdir -p /owned/cache /owned/data /owned/run \
    && KF_RULE_CACHE_DIR=/owned/cache/kingfisher /opt/ecs-admission/bin/python -c \
        'from ecs_admission.project.detectors.kingfisher import warm_cache; warm_cache()' \
    && find /owned/cache/kingfisher -type f -exec chmod 0400 {} + \
    && chmod 0500 /owned/cache/kingfisher \
    && mkdir -m 0700 /owned/data/ecs-admission /owned/run/ecs-admission

# Nothing runs in this stage, so whatever a build has mounted leaves no trace in the image.
FROM ${PYTHON_BASE}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="ecs-admission" \
      org.opencontainers.image.description="The admission controller that Amazon ECS does not have" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/ecs-admission /opt/ecs-admission
COPY --from=build --chown=65532:65532 /owned/cache /opt/ecs-admission/cache
COPY --from=build --chown=65532:65532 /owned/data /var/lib
COPY --from=build --chown=65532:65532 /owned/run /run
# An address that others can reach, and therefore callers that say who they are: the service refuses the one without the other.
ENV PATH=/opt/ecs-admission/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONPYCACHEPREFIX=/opt/ecs-admission/pycache \
    PYTHONUNBUFFERED=1 \
    KF_RULE_CACHE_DIR=/opt/ecs-admission/cache/kingfisher \
    ECS_ADMISSION_BIND=0.0.0.0:8080 \
    ECS_ADMISSION_AUTHENTICATION=required \
    ECS_ADMISSION_DATA_DIR=/var/lib/ecs-admission
WORKDIR /var/lib/ecs-admission
USER 65532:65532
# The second is for keys that another container brings: ECS gives a volume the owner and mode of what it covers, if it is
# named here.
VOLUME ["/var/lib/ecs-admission", "/run/ecs-admission"]
EXPOSE 8080
# No HEALTHCHECK: the same image seals and migrates. An orchestrator asks `ecs-admission health`, or /readyz.
ENTRYPOINT ["/opt/ecs-admission/bin/ecs-admission"]
CMD ["serve"]
