# syntax=docker/dockerfile:1

FROM rust:1.95.0-trixie AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked --features aws && cp target/release/oms /usr/local/bin/oms

FROM debian:trixie-slim
# Certificate authorities, for mail servers, PostgreSQL and AWS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /usr/local/bin/oms /usr/local/bin/oms
# A new volume takes its owner and mode from this folder.
RUN install -d -m 700 -o 10001 -g 10001 /var/lib/oms
WORKDIR /project
USER 10001:10001
VOLUME /var/lib/oms
EXPOSE 8080
# The image has no curl, so bash sends the request.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8080 && printf 'GET /readyz HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.1 200 ' <&3"]
ENTRYPOINT ["oms"]
CMD ["serve", "pipeline.yaml", "--state-dir", "/var/lib/oms", "--listen", "0.0.0.0:8080"]
