import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../observability/metrics';
import { tracing } from '../observability/trace-hooks';

/** Measures every request by its route's pattern, which has names where a path has ids. */
export function measureRequests(server: FastifyInstance, { of: { httpDuration } }: Metrics): void {
  const { hooks } = tracing;
  if (hooks) {
    server.addHook('onRequest', (request, _reply, done) => {
      hooks.route(request.routeOptions.url);
      done();
    });
  }
  server.addHook('onResponse', (request, reply, done) => {
    // A stream lasts as long as somebody looks: that is no duration of an answer.
    if (reply.getHeader('content-type') === 'text/event-stream') return done();
    const labels = {
      http_request_method: request.method,
      http_route: request.routeOptions.url ?? 'none',
      http_response_status_code: reply.statusCode,
    };
    httpDuration.observe(labels, reply.elapsedTime / 1000);
    done();
  });
}
