import { readEnvironment } from '../config/environment';
import { allQueues, buildTopology, laneOf, lanesOf, retryQueueName, type Topology } from './topology';

function topologyFor(settings: Record<string, string> = {}): Topology {
  const required = { DATABASE_URL: 'postgres://localhost/test', RABBITMQ_URL: 'amqp://localhost' };
  return buildTopology(readEnvironment({ ...required, ...settings }));
}

describe.each([
  ['as it is by default', {}],
  ['with one delay', { RETRY_DELAYS: '100ms' }],
  ['with equal delays', { RETRY_DELAYS: '5s,5s,5000ms,30s' }],
  [
    'with the longest names and delays',
    {
      RABBITMQ_QUEUE: 'q'.repeat(200),
      RABBITMQ_ANALYSIS_QUEUE: 'a'.repeat(200),
      RABBITMQ_EXCHANGE: 'x'.repeat(200),
      RETRY_DELAYS: '24h,23h',
      MEMORY_API_URL: 'https://memory',
    },
  ],
  ['with an external service', { CONVERSATION_API_URL: 'https://conversations' }],
])('the topology %s', (_about, settings) => {
  const topology = topologyFor(settings);
  const queues = allQueues(topology);
  const names = queues.map(({ name }) => name);
  const lanes = lanesOf(topology);
  const argumentsOf = ({ options }: (typeof queues)[number]) => options.arguments as Record<string, unknown>;

  it('declares each queue once, with a name that AMQP can carry', () => {
    expect(new Set(names).size).toBe(names.length);
    expect(names).toEqual(expect.arrayContaining([topology.processing.queue.name, topology.deadLetterQueue.name]));
    for (const name of names) expect(Buffer.byteLength(name)).toBeLessThanOrEqual(255);
  });

  it('has durable quorum queues only', () => {
    for (const queue of queues) {
      expect(queue.options).toMatchObject({ durable: true });
      expect(argumentsOf(queue)).toMatchObject({ 'x-queue-type': 'quorum' });
      // A quorum queue refuses these.
      expect(queue.options).not.toHaveProperty('exclusive', true);
      expect(queue.options).not.toHaveProperty('autoDelete', true);
      expect(queue.options).not.toHaveProperty('maxPriority');
    }
  });

  it('binds each lane under a key of its own, the first one under the key of other publishers', () => {
    expect(topology.processing.routingKey).toBe('conversation.end');
    expect(new Set(lanes.map(({ routingKey }) => routingKey)).size).toBe(lanes.length);
    for (const { queue } of lanes) expect(names).toContain(queue.name);
  });

  it('dead-letters into declared queues only, through the default exchange', () => {
    for (const queue of queues) {
      const { 'x-dead-letter-exchange': exchange, 'x-dead-letter-routing-key': target } = argumentsOf(queue);
      if (exchange === undefined && target === undefined) continue;
      expect(exchange).toBe('');
      expect(names).toContain(target);
      expect(target).not.toBe(queue.name);
    }
  });

  it('loses nothing on the way: at-least-once, which the broker does only with reject-publish', () => {
    for (const queue of lanes.flatMap(({ queue, retryQueues }) => [queue, ...retryQueues])) {
      expect(argumentsOf(queue)).toMatchObject({
        'x-dead-letter-strategy': 'at-least-once',
        'x-overflow': 'reject-publish',
      });
    }
  });

  it('sends what passes the delivery limit of a lane to the dead letters', () => {
    for (const { queue } of lanes) {
      expect(argumentsOf(queue)).toMatchObject({ 'x-dead-letter-routing-key': topology.deadLetterQueue.name });
      expect(argumentsOf(queue)['x-delivery-limit']).toBeGreaterThan(20);
    }
  });

  it('brings every waiting message back to its own lane after its delay', () => {
    for (const lane of lanes) {
      for (const queue of lane.retryQueues) {
        expect(queue.name).toBe(retryQueueName(lane.queue.name, queue.delayMs));
        expect(argumentsOf(queue)).toMatchObject({
          'x-message-ttl': queue.delayMs,
          'x-dead-letter-routing-key': lane.queue.name,
        });
      }
    }
  });

  it('keeps dead letters until they are recorded: no time, no limit, no way out', () => {
    expect(argumentsOf(topology.deadLetterQueue)).toEqual({ 'x-queue-type': 'quorum' });
  });
});

describe('the names on the broker', () => {
  it('are those of the contract', () => {
    const topology = topologyFor();
    expect(topology.exchange).toBe('conversation_exchange');
    expect(topology.processing.queue.name).toBe('conversation_events_processing');
  });

  it('has a retry queue for each different delay, in their order', () => {
    expect(topologyFor({ RETRY_DELAYS: '5s,30s,5s,2m' }).processing.retryQueues.map(({ delayMs }) => delayMs)).toEqual([
      5_000, 30_000, 120_000,
    ]);
  });

  it('share none between two work queues', () => {
    const [one, two] = ['one', 'two'].map((RABBITMQ_QUEUE) =>
      allQueues(topologyFor({ RABBITMQ_QUEUE })).map(({ name }) => name),
    );
    expect(one.filter((name) => two.includes(name))).toEqual([]);
  });

  it('change with a delay, since the arguments of a declared queue cannot', () => {
    const waiting = (RETRY_DELAYS: string) =>
      topologyFor({ RETRY_DELAYS }).processing.retryQueues.map(({ name }) => name);
    expect(waiting('5s')).not.toEqual(waiting('6s'));
  });
});

describe('the lanes', () => {
  it('are one where no external service is configured', () => {
    const topology = topologyFor();
    expect(lanesOf(topology).map(({ name }) => name)).toEqual(['processing']);
    expect(laneOf(topology, 'analysis')).toBe(topology.processing);
  });

  it.each([
    [{ ANALYSIS_LLM_URL: 'https://llm/v1', ANALYSIS_LLM_MODEL: 'small' }],
    [{ MEMORY_API_URL: 'https://memory' }],
    [{ CONVERSATION_API_URL: 'https://conversations' }],
  ])('are two with %p', (settings) => {
    const topology = topologyFor(settings);
    expect(lanesOf(topology).map(({ name, queue, routingKey }) => [name, queue.name, routingKey])).toEqual([
      ['processing', 'conversation_events_processing', 'conversation.end'],
      ['analysis', 'conversation_events_analysis', 'conversation.analyse'],
    ]);
  });
});
