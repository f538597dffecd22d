import { SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { toExportedSpan, toExportedSpans } from './exported-span';

const CONTEXT = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 1 };

function span(fields: Partial<ReadableSpan>): ReadableSpan {
  const nothing = { attributes: {}, links: [], events: [], status: { code: SpanStatusCode.UNSET } };
  return { name: 'x', kind: SpanKind.INTERNAL, spanContext: () => CONTEXT, ...nothing, ...fields } as ReadableSpan;
}

describe('a span that leaves the process', () => {
  it('has no message of an error, no stack, no statement and no value', () => {
    const told = toExportedSpan(
      span({
        name: 'pg.query:apply friendship',
        kind: SpanKind.CLIENT,
        status: { code: SpanStatusCode.ERROR, message: 'Key (log)=(I am sad)' },
        attributes: { 'db.namespace': 'friendship', 'db.query.text': 'SELECT 1', 'db.postgresql.values': ['I am sad'] },
        events: [
          {
            name: 'exception',
            time: [0, 0],
            attributes: {
              'exception.type': '23505',
              'exception.message': 'I am sad',
              'exception.stacktrace': 'I am sad',
            },
          },
          { name: 'I am sad', time: [0, 0] },
        ],
        links: [{ context: CONTEXT, attributes: { words: 'I am sad' } }],
      }),
    );
    expect(told.name).toBe('apply');
    expect(told.attributes).toEqual({ 'db.namespace': 'friendship', 'db.query.summary': 'apply' });
    expect(told.status).toEqual({ code: SpanStatusCode.ERROR });
    expect(told.events).toEqual([{ name: 'exception', time: [0, 0], attributes: { 'exception.type': '23505' } }]);
    expect(JSON.stringify(told)).not.toContain('sad');
  });

  it('has nothing of a request that its caller chose freely', () => {
    const attributes = {
      'http.request.method': 'GET',
      'http.route': '/v1/friendship/:user_id',
      'http.response.status_code': 200,
      'url.path': '/v1/friendship/child-1',
      'url.query': '?a=b',
      'user_agent.original': 'somebody',
      'server.address': 'whatever',
      'client.address': '10.0.0.1',
    };
    const { 'http.request.method': method, 'http.route': route, 'http.response.status_code': status } = attributes;
    expect(toExportedSpan(span({ kind: SpanKind.SERVER, attributes })).attributes).toEqual({
      'http.request.method': method,
      'http.route': route,
      'http.response.status_code': status,
    });
  });

  it('has an id or a code only where it looks like one', () => {
    const kept = (attributes: ReadableSpan['attributes']) => toExportedSpan(span({ attributes })).attributes;
    expect(kept({ 'messaging.message_id': 'conv-1', 'error.type': '40001' })).toEqual({
      'messaging.message.id': 'conv-1',
      'error.type': '40001',
    });
    expect(kept({ 'messaging.message_id': 'I am sad', 'error.type': 'no room for it' })).toEqual({});
  });

  it('is named by operation and destination, an exchange or else a queue, as the metrics are', () => {
    const publish = (destination: string) =>
      toExportedSpan(
        span({
          name: 'publish <default>',
          kind: SpanKind.PRODUCER,
          attributes: { 'messaging.destination': destination, 'messaging.rabbitmq.routing_key': 'q.retry.5000ms' },
        }),
      );
    expect(publish('').attributes).toMatchObject({ 'messaging.destination.name': 'q.retry.5000ms' });
    expect(publish('exchange').name).toBe('publish exchange');
    expect(toExportedSpan(span({ name: 'q process', kind: SpanKind.CONSUMER })).name).toBe('process q');
  });

  it('is no word that processes say to each other', () => {
    const attributes = { 'messaging.destination': 'conversation_exchange.telemetry' };
    expect(toExportedSpans([span({ kind: SpanKind.PRODUCER, attributes }), span({})])).toHaveLength(1);
  });
});
