/**
 * What of a span leaves the process. Instrumentations write down what they see: paths with the ids of children, error messages that quote
 * a column, hosts that callers chose. So only what is named here goes out, under the names of OpenTelemetry's present conventions.
 */
import { SpanKind, type Attributes, type AttributeValue } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';

/** Codes and names of our own making or of a protocol's; texts have spaces. */
const CODE = /^[\w.:/*-]{1,200}$/;

/** What an id of a conversation may consist of. */
const ID = /^[\x21-\x7e]{1,255}$/;

type Rule = { readonly as?: string; readonly matches?: RegExp };

/** Kept as they are: numbers, and what the code or the configuration says. */
const PLAIN: Rule = {};

const KEPT: Readonly<Record<string, Rule>> = {
  'peer.service': PLAIN,
  'http.request.method': { matches: CODE },
  'http.route': PLAIN,
  'http.response.status_code': PLAIN,
  'messaging.system': { matches: CODE },
  'messaging.rabbitmq.routing_key': { as: 'messaging.rabbitmq.destination.routing_key', matches: CODE },
  'messaging.message_id': { as: 'messaging.message.id', matches: ID },
  'messaging.batch.message_count': PLAIN,
  'db.system.name': PLAIN,
  'db.namespace': PLAIN,
  'error.type': { matches: CODE },
};

/** Where a client connects to is our configuration; a server is told it by its caller. */
const KEPT_OF_CLIENTS: Readonly<Record<string, Rule>> = {
  ...KEPT,
  'server.address': { matches: CODE },
  'server.port': PLAIN,
};

const PROCESS = ' process';
const QUERY = 'pg.query:';

/** What processes tell each other at intervals is in nobody's trace. The exchange is named in messaging/topology.ts. */
const TELEMETRY = /\.telemetry$/;

/** @returns the spans that are worth keeping, as they may leave the process */
export function toExportedSpans(spans: readonly ReadableSpan[]): ReadableSpan[] {
  return spans
    .filter(({ attributes }) => !TELEMETRY.test(String(attributes['messaging.destination'])))
    .map(toExportedSpan);
}

/** @returns the span without anything that is not meant to leave the process */
export function toExportedSpan(span: ReadableSpan): ReadableSpan {
  const attributes = keep(span.attributes, span.kind === SpanKind.SERVER ? KEPT : KEPT_OF_CLIENTS);
  const name = rename(span, attributes);
  return {
    name,
    kind: span.kind,
    spanContext: () => span.spanContext(),
    parentSpanContext: span.parentSpanContext,
    startTime: span.startTime,
    endTime: span.endTime,
    duration: span.duration,
    ended: span.ended,
    // Its message may quote anything.
    status: { code: span.status.code },
    attributes,
    links: span.links.map(({ context }) => ({ context })),
    events: span.events
      .filter((event) => event.name === 'exception')
      .map((event) => ({
        ...event,
        attributes: keep(event.attributes ?? {}, { 'exception.type': { matches: CODE } }),
      })),
    resource: span.resource,
    instrumentationScope: span.instrumentationScope,
    droppedAttributesCount: span.droppedAttributesCount,
    droppedEventsCount: span.droppedEventsCount,
    droppedLinksCount: span.droppedLinksCount,
  };
}

function keep(attributes: Attributes, rules: Readonly<Record<string, Rule>>): Attributes {
  const kept: Attributes = {};
  for (const [name, value] of Object.entries(attributes)) {
    const rule = rules[name];
    if (rule && isAllowed(value, rule)) kept[rule.as ?? name] = value;
  }
  return kept;
}

function isAllowed(value: AttributeValue | undefined, { matches }: Rule): boolean {
  return matches === undefined || (typeof value === 'string' && matches.test(value));
}

/** Adds what the instrumentations say in the name alone, or in the words of older conventions. */
function rename({ name, kind, attributes }: ReadableSpan, kept: Attributes): string {
  if (kind === SpanKind.CONSUMER && name.endsWith(PROCESS)) {
    return operate('process', name.slice(0, -PROCESS.length), kept);
  }
  if (kind === SpanKind.PRODUCER) {
    const to = attributes['messaging.destination'] || attributes['messaging.rabbitmq.routing_key'];
    return operate('publish', typeof to === 'string' ? to : '', kept);
  }
  if (name.startsWith(QUERY)) {
    // What follows is the statement's name, or SQL's first word, and the database's name.
    const [summary] = name.slice(QUERY.length).split(` ${String(attributes['db.namespace'])}`);
    kept['db.query.summary'] = summary;
    return summary;
  }
  return name;
}

/** Exchange or queue, as the metrics name them. */
function operate(operation: 'publish' | 'process', destination: string, kept: Attributes): string {
  kept['messaging.operation.name'] = operation;
  kept['messaging.operation.type'] = operation === 'publish' ? 'send' : 'process';
  kept['messaging.destination.name'] = destination;
  return `${operation} ${destination}`;
}
