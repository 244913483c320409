# syntax=docker/dockerfile:1
#
# The image of Redraft. `docker build --build-arg REDRAFT_GIT_SHA="$(git rev-parse HEAD)" -t redraft .`
#
# Dependencies are compiled in a layer of their own, which only a change of a
# Cargo.toml or of Cargo.lock makes again. The result holds one binary on a base
# without a shell; it runs as uid 65532 and writes no file.

FROM docker.io/library/rust:1.95.0-slim-bookworm AS chef
WORKDIR /src
RUN cargo install cargo-chef --locked --version 0.1.78

# What the dependencies are: the manifests and the lock file, without our code.
FROM chef AS plan
COPY . .
RUN cargo chef prepare --recipe-path recipe.json --bin redraft

FROM chef AS build
COPY --from=plan /src/recipe.json recipe.json
RUN cargo chef cook --profile dist --locked --recipe-path recipe.json --bin redraft
COPY . .
# GET /version tells both. Without the argument, the commit is unknown and is not told.
ARG REDRAFT_GIT_SHA
RUN if [ -z "${REDRAFT_GIT_SHA:-}" ]; then unset REDRAFT_GIT_SHA; fi \
 && REDRAFT_RUSTC="$(rustc --version)" cargo build --profile dist --locked --bin redraft \
 && target/dist/redraft check-config > /dev/null

# glibc, libgcc and CA certificates, and nothing that could be run beside the service.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG REDRAFT_GIT_SHA
LABEL org.opencontainers.image.title="redraft" \
      org.opencontainers.image.description="An HTTP service that turns text into better text on AWS Bedrock" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REDRAFT_GIT_SHA}" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"
COPY --from=build /src/target/dist/redraft /usr/local/bin/redraft

# Inside a container the loopback address would reach nobody.
ENV REDRAFT__HTTP__LISTEN=0.0.0.0:8080 \
    REDRAFT__OPS__LISTEN=0.0.0.0:9464
EXPOSE 8080 9464
USER 65532:65532
STOPSIGNAL SIGTERM
# The binary asks itself: the base has neither a shell nor curl.
HEALTHCHECK --interval=10s --timeout=5s --start-period=15s --retries=3 \
    CMD ["/usr/local/bin/redraft", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/redraft"]
CMD ["serve"]
