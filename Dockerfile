# SPDX-License-Identifier: Apache-2.0
# docker build -t postern .
#
# Postern shares the network of the inference container, as in a pod: it reaches port 5000 through the common loopback, and
# that container publishes the ports. 8444 is the admin side.
# docker run -d --name ai -p 8443:8443 -p 127.0.0.1:8444:8444 IMAGE
# docker run -d --name postern --network container:ai -v postern:/var/lib/postern -e POSTERN_ADMIN_LISTEN=0.0.0.0:8444 postern
# docker exec postern postern key create --name first
#
# Without Docker, tools/dockerfile-in-chroot runs the same steps.

FROM debian:trixie-slim AS build
WORKDIR /src
# The libraries first: this layer stays in the cache until their version or configuration changes.
COPY tools/deps tools/deps
COPY tools/patches tools/patches
COPY gateway/tls/mbedtls_config.h gateway/tls/mbedtls_config.h
COPY gateway/crypto/alt gateway/crypto/alt
RUN tools/deps
COPY . .
RUN meson setup -Db_lto=true build/image && ninja -C build/image postern
# The program, and the names of the packages whose libraries it loads.
RUN mkdir -p /out/usr/bin /out/usr/share/postern \
    && install -s -m 0755 build/image/postern /out/usr/bin/postern \
    && install -m 0644 LICENSE build/deps/prefix/licenses/* -t /out/usr/share/postern \
    && ldd /out/usr/bin/postern | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p' | xargs realpath \
    | sed 's/^\/usr//' | while read -r file; do dpkg-query -S "*$file"; done \
    | cut -d: -f1 | sort -u >/out/usr/share/postern/packages

FROM debian:trixie-slim
COPY --from=build /out/ /
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive xargs -a /usr/share/postern/packages \
        apt-get install -y --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 65532 postern \
    && useradd -K UID_MAX=65533 --uid 65532 --gid 65532 --no-create-home --home-dir /var/lib/postern --shell /usr/sbin/nologin postern \
    && install -d -o 65532 -g 65532 -m 0700 /var/lib/postern
ENV POSTERN_DATA_DIR=/var/lib/postern
USER 65532:65532
VOLUME /var/lib/postern
EXPOSE 8443
ENTRYPOINT ["postern"]
CMD ["serve"]
