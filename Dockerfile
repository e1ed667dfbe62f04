# syntax=docker/dockerfile:1
# signalbox in a container: docker build -t signalbox .
#
# Mount the configuration at /etc/signalbox/signalbox.yaml and a volume at
# /var/lib/signalbox. docs/operations.md says how to run it; what matters most:
# a container takes its steps with it when it stops, so set drain_on_stop.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN --mount=type=cache,target=/go/pkg/mod go mod download
# With .git, so that `signalbox version` names the commit.
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/signalbox ./bot

# Debian and not something smaller: the tools that steps run, and what they
# download to run in turn, are mostly built for glibc.
FROM debian:bookworm-slim
# tini is process 1: steps outlive the process that began them on purpose, and
# somebody has to take in those that end without it.
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates git tini \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --home-dir /var/lib/signalbox signalbox \
    && useradd --system --uid 10002 --user-group --no-create-home runner \
    && install -d -o signalbox -g signalbox -m 711 /var/lib/signalbox
COPY --from=build /out/signalbox /usr/local/bin/signalbox

# What the steps run is yours to choose, and is not in here. For Terraform build
# an image from this one with the version that your state was written by:
#
#   FROM signalbox
#   COPY --from=hashicorp/terraform:1.11 /bin/terraform /usr/local/bin/terraform

# Steps run as this user too. To give them another one, start the container with
# --user root and say runner.user: runner; the bot's own files are then closed
# to what a pull request brings.
USER signalbox
VOLUME /var/lib/signalbox
EXPOSE 8420
# No HEALTHCHECK: what acts on one restarts the container, and that kills a
# running apply because, say, Slack is away. /healthz and /readyz are there to
# be watched by something that tells a person.
ENTRYPOINT ["tini", "--", "signalbox"]
CMD ["serve", "--config", "/etc/signalbox/signalbox.yaml"]
