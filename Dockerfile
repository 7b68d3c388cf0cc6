# The image of the operator: locked dependencies and the package on a Python without pip, compiler or shell.
#
# `make image` builds it. Where no registry can be reached it names two bases made of Debian packages (hack/image/base).
# Both bases have the same minor version of Python and the same C library, for compiled modules and bytecode.
ARG BUILD_BASE=docker.io/library/python:3.13-slim-trixie
ARG RUN_BASE=gcr.io/distroless/python3-debian13:nonroot

FROM ${BUILD_BASE} AS dependencies
# A file of certificate authorities, for networks that decrypt TLS.
ARG SSL_CERT_FILE
WORKDIR /src
COPY requirements.lock requirements.run.lock ./
RUN sed -n '/^uv==/,/^    # via/p' requirements.lock >uv.lock.txt \
 && python3 -m pip install --no-cache-dir --disable-pip-version-check --no-deps --require-hashes --target /uv -r uv.lock.txt
# Nothing imports the asynchronous half of kubernetes, and its models are imported one by one if at all: their bytecode
# would be 22 MB. Of AWS's 400 services the stores and the credentials use six.
RUN /uv/bin/uv pip install --no-cache --python python3 --target /app/lib --no-deps --only-binary :all: \
      --require-hashes -r requirements.run.lock \
 && rm -rf /app/lib/bin /app/lib/kubernetes/aio \
 && find /app/lib/botocore/data -mindepth 1 -maxdepth 1 -type d \
      ! -name s3 ! -name cloudfront ! -name sts ! -name sso ! -name sso-oidc ! -name signin -exec rm -r {} + \
 && python3 -m compileall -q --invalidation-mode unchecked-hash -x 'kubernetes/client/(api|models)/' /app/lib

FROM dependencies AS package
ARG SSL_CERT_FILE
COPY pyproject.toml README.md LICENSE ./
COPY operator operator
RUN /uv/bin/uv build --no-cache --python python3 --wheel --build-constraints requirements.lock --require-hashes --out-dir /dist \
 && /uv/bin/uv pip install --no-cache --python python3 --target /package/lib --no-deps /dist/*.whl \
 && rm -rf /package/lib/bin \
 && python3 -m compileall -q --invalidation-mode unchecked-hash -s /package -p /app /package/lib
COPY --chmod=755 hack/image/oidc-publisher /package/bin/oidc-publisher

FROM ${RUN_BASE}
# Neither base has bytecode of the standard library, and a read-only root cannot keep it: each start would compile it.
USER 0
RUN ["/usr/bin/python3", "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", "-x", \
     "/(ensurepip|idlelib|lib2to3|test|tkinter|turtledemo|unittest|pydoc_data|encodings/(cp|euc|iso|mac|big|shift|hz|johab|gb|koi))", \
     "/usr/lib/python3.13"]
# Two layers: a new version of the operator leaves the larger one as it is on every node.
COPY --from=dependencies /app/lib /app/lib
COPY --from=package /package /app
# USER and HOME: a UID that OpenShift chooses has no entry in /etc/passwd.
ENV PATH=/app/bin:/usr/local/bin:/usr/bin:/bin \
    USER=oidc-publisher \
    HOME=/nonexistent
WORKDIR /
# A number, so that the kubelet can tell that it is not root (runAsNonRoot).
USER 65532:65532
# At the end, for they differ from commit to commit, and what follows is made anew.
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="oidc-publisher" \
      org.opencontainers.image.description="Gives any Kubernetes cluster a public OIDC issuer and keeps it true." \
      org.opencontainers.image.source="https://github.com/oidc-publisher/oidc-publisher" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENTRYPOINT ["oidc-publisher"]
CMD ["run"]
