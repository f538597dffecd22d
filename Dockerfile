# The service as one image for both roles: APP_ROLE=api or APP_ROLE=worker.
ARG NODE_IMAGE=node:22-bookworm-slim
# What it runs on: the same release of Debian, and of Node only the program; npm, yarn and headers stay behind.
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --include=dev --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json nest-cli.json ./
COPY src ./src
COPY dashboard ./dashboard
RUN npm run build

# What runs: no compiler, no test tools; and of the packages, no types, sources, source maps, tests, or builds for browsers and bundlers.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
 && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.[cm]ts' \) -delete \
 && find node_modules -type d \( -name test -o -name tests -o -path node_modules/typeorm/browser \) -prune -exec rm -rf {} + \
 && rm -rf node_modules/@opentelemetry/*/build/esm node_modules/@opentelemetry/*/build/esnext

FROM ${RUNTIME_IMAGE}
ENV NODE_ENV=production \
    PORT=3000
WORKDIR /app
COPY --from=build /usr/local/bin/node /usr/local/bin/node
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/package.json ./
COPY --from=build /app/dist ./dist
# A number, so that an orchestrator can see that it is not root. No such user needs to exist.
USER 10001:10001
EXPOSE 3000
# Liveness touches nothing external: an outage of the database must not restart every container.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health/live`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# The service itself is process 1 and handles SIGTERM: it drains, then ends.
# A small young generation: calls in flight outlive any, and the memory that docs/external-services.md tells was measured with this one.
# Here and not in NODE_OPTIONS, which stays free for the operator.
CMD ["node", "--max-semi-space-size=4", "dist/main.js"]
