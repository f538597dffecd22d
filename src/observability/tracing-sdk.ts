/** Assembles OpenTelemetry's SDK. Only `tracing.ts` loads this file, before whatever is instrumented. */
import { hostname } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  context,
  isSpanContextValid,
  propagation,
  trace,
  type Span,
} from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator, getRPCMetadata, setGlobalErrorHandler } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { registerInstrumentations } from '@opentelemetry/instrumentation';
import { AmqplibInstrumentation } from '@opentelemetry/instrumentation-amqplib';
import { HttpInstrumentation } from '@opentelemetry/instrumentation-http';
import { PgInstrumentation } from '@opentelemetry/instrumentation-pg';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ConsoleSpanExporter,
  SimpleSpanProcessor,
  type SpanExporter,
  type SpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import type { TracingSettings } from '../config/tracing-settings';
import { VERSION } from '../config/version';
import { errorCode } from '../errors/describe';
import { toExportedSpans } from './exported-span';
import { tracing, type TraceHooks, type TraceOrigin } from './trace-hooks';

const logger = new Logger('Tracing');

/** Asked all the time by machines, and open for hours by the operators' page: nobody looks for these. */
const UNTRACED_PATHS = /^\/(health|metrics|ops)(\/|\?|$)/;

/** How long the last spans may hold up the end of a process, milliseconds. A collector that is there takes a few. */
const FLUSH_LIMIT = 1_000;

/** A collector that is away is reported this often, milliseconds. */
const REPORT_INTERVAL = 60_000;

export function startTracing(settings: TracingSettings): void {
  const provider = new BasicTracerProvider({ resource: resource(settings), spanProcessors: processors(settings) });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  // Baggage is not passed on: callers may put anything into it.
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(provider);
  setGlobalErrorHandler(reportNowAndThen());
  registerInstrumentations({
    instrumentations: [
      new HttpInstrumentation({
        ignoreIncomingRequestHook: ({ url = '' }) => UNTRACED_PATHS.test(url),
        disableOutgoingRequestInstrumentation: true,
      }),
      // A message may be held for minutes: its span ends with it, not with a time limit.
      new AmqplibInstrumentation({ consumeTimeoutMs: 0 }),
      // What the process does for itself, such as sweeping, is in nobody's trace.
      new PgInstrumentation({ requireParentSpan: true, ignoreConnectSpans: true }),
    ],
  });
  tracing.hooks = hooks(provider);
}

function resource({ serviceName }: TracingSettings) {
  return resourceFromAttributes({
    'service.name': serviceName,
    'service.version': VERSION,
    'host.name': hostname(),
    'process.pid': process.pid,
  }).merge(detectResources({ detectors: [envDetector] }));
}

function processors({ exporter }: TracingSettings): SpanProcessor[] {
  switch (exporter) {
    case 'otlp':
      return [new BatchSpanProcessor(exportingOnlyWhatMayLeave(new OTLPTraceExporter()))];
    case 'console':
      return [new SimpleSpanProcessor(exportingOnlyWhatMayLeave(new ConsoleSpanExporter()))];
    case 'none':
      return [];
    default:
      return exporter satisfies never;
  }
}

function exportingOnlyWhatMayLeave(exporter: SpanExporter): SpanExporter {
  return {
    export: (spans, done) => exporter.export(toExportedSpans(spans), done),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}

/** Spans that could not be exported are gone; the service goes on. */
function reportNowAndThen(): (error: unknown) => void {
  let quietUntil = 0;
  let failures = 0;
  return (error) => {
    failures++;
    if (performance.now() < quietUntil) return;
    quietUntil = performance.now() + REPORT_INTERVAL;
    logger.warn({ msg: 'spans were not exported', code: errorCode(error), failures });
    failures = 0;
  };
}

function hooks(provider: BasicTracerProvider): TraceHooks {
  const tracer = provider.getTracer('friendship-service', VERSION);
  return {
    logFields(): Record<string, string> {
      const current = trace.getActiveSpan()?.spanContext();
      if (!current || !isSpanContextValid(current)) return {};
      return { trace_id: current.traceId, span_id: current.spanId };
    },
    route(pattern) {
      const request = getRPCMetadata(context.active());
      if (request && pattern !== undefined) request.route = pattern;
    },
    failed(code) {
      trace.getActiveSpan()?.setAttribute('error.type', code).setStatus({ code: SpanStatusCode.ERROR });
    },
    here: () => trace.getActiveSpan(),
    bind: (work) => context.bind(context.active(), work),
    // Not the instrumentation of undici: its pool keeps requests waiting, and begins them in the trace of whoever makes room.
    request(service, method, url, work) {
      const { hostname: address, port, protocol } = new URL(url);
      const attributes = {
        'peer.service': service,
        'http.request.method': method,
        'server.address': address,
        'server.port': Number(port) || (protocol === 'https:' ? 443 : 80),
      };
      return tracer.startActiveSpan(`${method} ${service}`, { kind: SpanKind.CLIENT, attributes }, async (span) => {
        const headers: Record<string, string> = {};
        propagation.inject(context.active(), headers);
        try {
          return await work(headers);
        } catch (error) {
          throw fail(span, error);
        } finally {
          span.end();
        }
      });
    },
    together(name, origins, work) {
      const [first, ...others] = recorded(origins);
      const parent = first ?? (origins.find(Boolean) as Span | undefined);
      const above = parent ? trace.setSpan(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
      // A group of one is that one's own work.
      if (!first || origins.length === 1) return context.with(above, work);
      const links = others.map((span) => ({ context: span.spanContext() }));
      const attributes = { 'messaging.batch.message_count': origins.length };
      return tracer.startActiveSpan(name, { links, attributes }, above, async (span) => {
        for (const other of others) other.addLink({ context: span.spanContext() });
        try {
          return await work();
        } catch (error) {
          throw fail(span, error);
        } finally {
          span.end();
        }
      });
    },
    async flush(within) {
      const limit = delay(Math.max(0, Math.min(FLUSH_LIMIT, within / 2)));
      await Promise.race([provider.shutdown().catch(() => undefined), limit]);
    },
  };
}

function fail(span: Span, error: unknown): unknown {
  span.setAttribute('error.type', errorCode(error)).setStatus({ code: SpanStatusCode.ERROR });
  return error;
}

function recorded(origins: readonly (TraceOrigin | undefined)[]): Span[] {
  return (origins as readonly (Span | undefined)[]).filter((span) => span?.isRecording()) as Span[];
}
