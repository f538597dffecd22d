import { Logger } from '@nestjs/common';
import { readEnvironment } from '../config/environment';
import { buildTopology } from './topology';
import { TopologyReport, describeRefusal } from './topology-report';

/** As amqplib words it, around the broker's own words. */
function refusal(code: number, text: string): Error {
  return Object.assign(new Error(`Operation failed: QueueDeclare; ${code} (…) with message "${text}"`), { code });
}

/** Seen with RabbitMQ 3.10. */
const SEEN: [string, string][] = [
  [
    "inequivalent arg 'x-dead-letter-exchange' for queue 'q' in vhost '/': received the value '' of type 'longstr' but current is none",
    "x-dead-letter-exchange: expected '', got none",
  ],
  [
    "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '5' of type 'byte'",
    "x-message-ttl: expected none, got '5'",
  ],
  [
    "inequivalent arg 'x-delivery-limit' for queue 'q' in vhost '/': received '200' but current is '5'",
    "x-delivery-limit: expected '200', got '5'",
  ],
  [
    "inequivalent arg 'x-dead-letter-routing-key' for queue 't'odd' in vhost '/': received 'd' but current is 'it's'",
    "x-dead-letter-routing-key: expected 'd', got 'it's'",
  ],
  [
    "inequivalent arg 'durable' for queue 'q' in vhost '/': received 'true' but current is 'false'",
    "durable: expected 'true', got 'false'",
  ],
];

describe('a refused declaration', () => {
  it.each(SEEN)('is described by the property that differs: %s', (text, difference) => {
    const description = describeRefusal('queue q', refusal(406, `PRECONDITION_FAILED - ${text}`), 'RABBITMQ_QUEUE');
    expect(description).toContain(`: ${difference}. `);
    expect(description).toMatch(/^queue q exists .* delete it.* RABBITMQ_QUEUE/);
  });

  it('is described without the property where the broker words it otherwise', () => {
    expect(describeRefusal('queue q', refusal(406, 'something new'), 'RABBITMQ_QUEUE')).toMatch(
      /^queue q exists with other properties than this service declares\. /,
    );
  });

  it('says so when another connection has the queue for itself, or the user may not', () => {
    expect(describeRefusal('queue q', refusal(405, 'RESOURCE_LOCKED'), 'RABBITMQ_QUEUE')).toMatch(
      /exclusive: expected 'false', got 'true'/,
    );
    expect(describeRefusal('queue q', refusal(403, 'ACCESS_REFUSED'), 'RABBITMQ_QUEUE')).toMatch(
      /may not declare .*configure, write and read/,
    );
  });

  it('is none of these when the connection was lost', () => {
    expect(describeRefusal('queue q', new Error('Channel closed'), 'RABBITMQ_QUEUE')).toBeUndefined();
    expect(describeRefusal('queue q', undefined, 'RABBITMQ_QUEUE')).toBeUndefined();
  });
});

describe('the report', () => {
  beforeAll(() => Logger.overrideLogger(false));

  const topology = buildTopology(
    readEnvironment({
      DATABASE_URL: 'postgres://localhost/test',
      RABBITMQ_URL: 'amqp://localhost',
      MEMORY_API_URL: 'https://memory',
    }),
  );

  it.each([
    ['exchange', topology.exchange, /set RABBITMQ_EXCHANGE to/],
    ['queue', topology.processing.queue.name, /set RABBITMQ_QUEUE and RABBITMQ_EXCHANGE to/],
    ['queue', topology.deadLetterQueue.name, /set RABBITMQ_QUEUE and RABBITMQ_EXCHANGE to/],
    ['queue', topology.analysis!.retryQueues[1].name, /set RABBITMQ_ANALYSIS_QUEUE and RABBITMQ_EXCHANGE to/],
  ] as const)('names the settings that lead to another %s than %s', (kind, name, settings) => {
    const report = new TopologyReport(topology);
    report.refused(kind, name, refusal(406, `PRECONDITION_FAILED - ${SEEN[0][0]}`));
    expect(report.problem).toMatch(settings);
    report.accepted();
    expect(report.problem).toBeUndefined();
  });
});
