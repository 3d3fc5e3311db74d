# One image for every part of the service: docker-compose.yml says which part a container plays.
#
#   docker build -t atelier .                            for CPUs
#   docker build -t atelier:cuda13 --build-arg CUDA=cuda13 .   with CuPy and the CUDA libraries (or cuda12)
#
# The classic builder takes it too: no RUN --mount, no heredocs.

ARG PYTHON=python:3.11-slim-bookworm

# Object storage for trials, in memory: the target `storage`, for docker-compose.yml's profile s3.
FROM ${PYTHON} AS storage
COPY requirements-storage.lock ./
RUN python -m pip install --quiet --no-cache-dir --disable-pip-version-check --root-user-action ignore --require-hashes \
        -r requirements-storage.lock \
    && useradd --uid 1000 --shell /usr/sbin/nologin storage
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1
USER storage
WORKDIR /tmp

FROM ${PYTHON} AS data
WORKDIR /package
RUN apt-get update -qq \
    && apt-get download -qq dataset-fashion-mnist \
    && dpkg-deb -x dataset-fashion-mnist_*.deb unpacked

FROM ${PYTHON} AS packages
ARG CUDA=""
WORKDIR /build
COPY requirements*.lock ./
# The environment has no pip of its own; tests that packages bring along are left out.
RUN python -m venv --without-pip /opt/atelier \
    && python -m pip --python /opt/atelier/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
        --root-user-action ignore --require-hashes -r "requirements${CUDA:+-${CUDA}}.lock" \
    && find /opt/atelier -type d \( -name tests -o -name test \) -path '*/site-packages/*' -prune -exec rm -rf {} + \
    && find /opt/atelier -name '*.a' -delete
COPY pyproject.toml README.md LICENSE ./
COPY ops ops
COPY service service
COPY flows flows
RUN python -m pip --python /opt/atelier/bin/python install --quiet --no-cache-dir --disable-pip-version-check \
        --root-user-action ignore --no-deps --no-build-isolation .

FROM ${PYTHON}
RUN useradd --uid 1000 --home-dir /var/lib/atelier --create-home --shell /usr/sbin/nologin atelier
COPY --from=data /package/unpacked/usr/share/datasets /usr/share/datasets
COPY --from=packages /opt/atelier /opt/atelier
ENV PATH=/opt/atelier/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1 \
    MPLCONFIGDIR=/tmp/matplotlib \
    ATELIER_HOME=/var/lib/atelier
USER atelier
WORKDIR /var/lib/atelier
CMD ["atelier", "serve", "--host", "0.0.0.0"]
