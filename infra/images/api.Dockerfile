# SPDX-License-Identifier: Apache-2.0
# The image of api by a container engine; make dist-images makes the same without one, and with it what is copied from dist/images here.
#   make dist-images && podman build --format docker -f infra/images/api.Dockerfile .
FROM scratch
ARG VERSION="" REVISION="" CREATED=""
COPY --chown=0:0 --chmod=644 dist/images/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chown=0:0 --chmod=644 infra/images/passwd infra/images/group /etc/
COPY --chown=0:0 --chmod=755 bin/ccee /usr/bin/ccee
LABEL org.opencontainers.image.title="ccee-api" \
      org.opencontainers.image.description="REST API of CCEE" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/ccee-dev/ccee" \
      org.opencontainers.image.created="$CREATED"
ENV PATH=/usr/bin
EXPOSE 8080/tcp
HEALTHCHECK --interval=15s --timeout=5s --start-period=1m --retries=3 CMD ["/usr/bin/ccee", "health", "api"]
USER 1000:1000
WORKDIR /
ENTRYPOINT ["/usr/bin/ccee"]
CMD ["api"]
