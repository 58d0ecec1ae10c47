# `sceneparse serve` without PyTorch. docs/deploy.md says how to build and run it.
# tests/test_container.py runs the steps of this file in an empty environment.

FROM python:3.12-slim AS build
WORKDIR /build
COPY pyproject.toml README.md LICENSE constraints.txt ./
COPY configs configs
COPY src src
RUN pip wheel --quiet --no-deps --wheel-dir dist .
# The environment has no pip of its own, so that no tool to install with stays in the image.
RUN python -m venv --without-pip /opt/sceneparse
RUN pip --python /opt/sceneparse/bin/python install --quiet --no-cache-dir \
        --constraint constraints.txt "$(echo dist/*.whl)[serve,hub]"
RUN mkdir cache models

FROM python:3.12-slim
COPY --from=build /opt/sceneparse /opt/sceneparse
# A number, because no account is needed; models from the Hub are kept in /cache.
COPY --from=build --chown=10001:10001 /build/cache /cache
COPY --from=build /build/models /models
ENV PATH=/opt/sceneparse/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/cache \
    HF_HOME=/cache/huggingface \
    SCENEPARSE_CACHE=/cache/sceneparse \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /models
EXPOSE 8000
HEALTHCHECK --start-period=60s --timeout=5s \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["sceneparse", "serve", "--host", "0.0.0.0"]
