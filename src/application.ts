/** Builds and runs the Nest application; `main.ts` only reads the environment and handles signals. */
import type { Socket } from 'node:net';
import { Logger, VersioningType, VERSION_NEUTRAL } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { MicroserviceOptions } from '@nestjs/microservices';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module';
import type { Environment } from './config/environment';
import { VERSION } from './config/version';
import { ProcessingLog } from './conversation-events/processing-log';
import { LONG_LOG } from './conversation-events/long-logs';
import { describeError, errorCode } from './errors/describe';
import { serveApiDocs } from './http/api-docs';
import { ApiKeys } from './http/api-keys';
import { refuseBeforeBody } from './http/refuse-before-body';
import { protect } from './http/protection';
import { toProblem } from './http/problem';
import { answer } from './http/problem.filter';
import { lendSendFile } from './http/send-file';
import { measureRequests } from './http/request-metrics';
import { closeUnused, watchUnused } from './http/unused-connections';
import { Deliveries } from './messaging/deliveries';
import { RpcServer } from './messaging/rpc-server';
import { concurrencyLadder, rungFor } from './messaging/concurrency-ladder';
import { laneConcurrency } from './messaging/rabbitmq-options';
import { lanesOf, type Topology } from './messaging/topology';
import { TOPOLOGY } from './messaging/tokens';
import type { PinoLoggerService } from './observability/logger';
import { Metrics } from './observability/metrics';

const logger = new Logger('Application');

/** How often to close connections that have become idle while the process stops, milliseconds. */
const IDLE_CHECK = 50;

/** An id has 255 characters at most, each of which may be percent-encoded. */
const LONGEST_PARAMETER = 3 * 255;

/** Starts listening; the broker and the database are reached in the background. */
export async function startApplication(
  environment: Environment,
  log: PinoLoggerService,
): Promise<NestFastifyApplication> {
  const app = await createApplication(environment, log);
  watchUnused(app.getHttpServer());
  await app.listen({ port: environment.PORT, host: environment.HOST });
  logger.log({
    msg: 'listening',
    url: await app.getUrl(),
    ...describeStart(environment, app.get(TOPOLOGY, { strict: false })),
  });
  if (environment.APP_ROLE !== 'worker') startRpc(app);
  return app;
}

async function createApplication(environment: Environment, log: PinoLoggerService): Promise<NestFastifyApplication> {
  const adapter = new FastifyAdapter({
    bodyLimit: environment.HTTP_BODY_LIMIT,
    forceCloseConnections: 'idle',
    // While it closes, what still comes over an open connection is answered as ever, not with a 503 of Fastify's own.
    return503OnClosing: false,
    routerOptions: { maxParamLength: LONGEST_PARAMETER },
    clientErrorHandler: refuseUnreadable,
    // Reached before any route: what cannot be parsed as HTTP or as a URL.
    frameworkErrors: (_error: unknown, _request: unknown, reply: FastifyReply) =>
      void answer(reply, toProblem('BAD_REQUEST', 'Expected a well-formed URL.')),
  });
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.forEnvironment(environment), adapter, {
    logger: log,
    // Nest's parsers would take forms as well; Fastify's own for JSON stays.
    bodyParser: false,
  });
  measureRequests(adapter.getInstance(), app.get(Metrics));
  const keys = new ApiKeys(environment.API_KEYS);
  await protect(adapter.getInstance(), environment, keys);
  refuseBeforeBody(adapter.getInstance(), keys);
  acceptJsonOnly(adapter.getInstance());
  app.enableVersioning({ type: VersioningType.URI, defaultVersion: ['1', VERSION_NEUTRAL] });
  if (environment.APP_ROLE !== 'worker') {
    await lendSendFile(adapter.getInstance());
    serveApiDocs(app);
    app.connectMicroservice<MicroserviceOptions>({ strategy: new RpcServer(environment) }, { inheritAppConfig: true });
  }
  return app;
}

/** What is no HTTP at all reaches neither a route nor Fastify's own errors: it is answered on the bare connection. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) return void socket.destroy();
  const body = JSON.stringify(toProblem('BAD_REQUEST', 'Expected a well-formed HTTP request.'));
  socket.end(
    'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/problem+json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** A long conversation is left to its handler, which parses it elsewhere. Clients send `Content-Type: application/json` with no body, too, where a route needs none: that is no malformed JSON. */
function acceptJsonOnly(server: FastifyInstance): void {
  const parse = server.getDefaultJsonParser('error', 'error');
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    if (body.length === 0) done(null, undefined);
    else if (body.length >= LONG_LOG && request.routeOptions.url?.endsWith('/conversations/end')) done(null, body);
    else void parse(request, body.toString('utf8'), done);
  });
}

/** In the background: it takes as long as the broker takes. */
function startRpc(app: NestFastifyApplication): void {
  app.startAllMicroservices().then(
    () => logger.log({ msg: 'answering RPC requests' }),
    (error: unknown) => logger.error({ msg: 'RPC did not start', error: describeError(error) }),
  );
}

/** Closes in order: readiness off, consumers cancelled, messages drained, HTTP, AMQP, database. Logs the last line. */
export async function stopApplication(app: NestFastifyApplication, reason: string): Promise<void> {
  const started = performance.now();
  logger.log({ msg: 'stopping', reason });
  const deliveries = app.get(Deliveries);
  const processing = app.get(ProcessingLog, { strict: false });
  // Only what is idle at the moment of closing is closed by itself; a kept-alive connection that is idle later would never end,
  // nor one on which nothing was asked.
  const server = app.getHttpServer();
  const closing = setInterval(() => {
    server.closeIdleConnections();
    closeUnused(server);
  }, IDLE_CHECK);
  await app.close().catch((error: unknown) => logger.error({ msg: 'closing failed', code: errorCode(error) }));
  clearInterval(closing);
  logger.log({
    msg: 'stopped',
    reason,
    seconds: Math.round(performance.now() - started) / 1000,
    ...deliveries.counts,
    results: processing.counts,
  });
}

function describeStart(environment: Environment, topology: Topology): Record<string, unknown> {
  const { WORKER_REPLICAS: W } = environment;
  const concurrency: Record<string, string> = {};
  for (const { name } of lanesOf(topology)) {
    const { C, K, P } = laneConcurrency(environment, name);
    concurrency[name === 'analysis' ? 'analysis' : 'concurrency'] = `K ${K} x P ${P} = C ${C}`;
  }
  if (environment.CONCURRENCY_MODE === 'adaptive') {
    const { MESSAGE_CONCURRENCY_PER_WORKER: C, CONCURRENCY_MIN, CONCURRENCY_MAX } = environment;
    const ladder = concurrencyLadder(CONCURRENCY_MIN, CONCURRENCY_MAX);
    concurrency.concurrency = `C ${ladder[rungFor(ladder, C)]}, adaptive ${CONCURRENCY_MIN}..${CONCURRENCY_MAX}`;
  }
  return {
    ...(environment.APP_ROLE === 'api' ? {} : { ...concurrency, W: W ?? 'unknown' }),
    pool: environment.DATABASE_POOL_SIZE,
    profile: environment.NODE_ENV,
    version: VERSION,
    node: process.version,
    database: place(environment.DATABASE_URL),
    broker: place(environment.RABBITMQ_URL),
    queue: environment.RABBITMQ_QUEUE,
  };
}

/** Host, port and path of a URL: no user, no password, no parameters. */
function place(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}
