import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { MetricDefinition } from '../../src/observability/metric-definition';
import { METRICS } from '../../src/observability/metrics';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { debianProgram, INSTALLATION } from '../support/debian-program';
import { runCli } from '../support/run-cli';
import { parseSamples, type Sample } from '../support/samples';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { until } from '../support/until';

const DEFINITIONS: readonly MetricDefinition[] = Object.values(METRICS);

describe('metrics', () => {
  let namespace: Namespace;
  let api: ServiceProcess;
  let worker: ServiceProcess;

  beforeAll(async () => {
    namespace = await createNamespace({ MESSAGE_CONCURRENCY_PER_WORKER: '4', RABBITMQ_CHANNELS: '2' });
    [api, worker] = await Promise.all([
      ServiceProcess.start('api', namespace.variables),
      ServiceProcess.start('worker', namespace.variables),
    ]);
    await Promise.all([api.ready(), worker.ready()]);
  });
  afterAll(async () => {
    await stopAll();
    await namespace.remove();
  });

  const scrape = async (service: ServiceProcess) => parseSamples((await service.get('/metrics')).text);
  const valueOf = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}) =>
    samples.find(
      (sample) => sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value),
    )?.value;
  /** Waits until the worker's metric has the value. */
  const workerShows = (name: string, labels: Record<string, string>, value: number) =>
    until(`${name} to be ${value}`, async () => valueOf(await scrape(worker), name, labels) === value);

  it('follow a conversation from its post to its commit', async () => {
    const posted = conversation();
    await api.post('/v1/conversations/end', posted);
    await api.post('/v1/conversations/end', posted);
    await settledEvent(namespace, posted.conversation_id);
    await workerShows('friendship_conversations_total', { result: 'processed' }, 1);

    const ofApi = await scrape(api);
    expect(valueOf(ofApi, 'friendship_accepted_total', { result: 'queued' })).toBe(1);
    expect(valueOf(ofApi, 'friendship_accepted_total', { result: 'duplicate' })).toBe(1);
    const exchange = namespace.variables.RABBITMQ_EXCHANGE;
    expect(valueOf(ofApi, 'messaging_client_sent_messages_total', { messaging_destination_name: exchange })).toBe(1);
    const route = { http_route: '/v1/conversations/end', http_response_status_code: '202' };
    expect(valueOf(ofApi, 'http_server_request_duration_seconds_count', route)).toBe(2);

    const ofWorker = await scrape(worker);
    const queue = { messaging_destination_name: namespace.queue };
    expect(valueOf(ofWorker, 'messaging_client_consumed_messages_total', queue)).toBe(1);
    expect(valueOf(ofWorker, 'messaging_process_duration_seconds_count', { ...queue, error_type: '' })).toBe(1);
    expect(valueOf(ofWorker, 'friendship_messages_in_flight', queue)).toBe(0);
    expect(valueOf(ofWorker, 'friendship_message_concurrency', queue)).toBe(4);
    for (const histogram of ['critical_time', 'queue_wait', 'slot_wait'])
      expect(valueOf(ofWorker, `friendship_${histogram}_seconds_count`)).toBe(1);
    expect(valueOf(ofWorker, 'friendship_database_pool_size')).toBe(10);
    expect(valueOf(ofWorker, 'friendship_consumers', { state: 'live' })).toBe(3);
    expect(valueOf(ofWorker, 'friendship_dependency_up', { dependency: 'broker' })).toBe(1);
  });

  it('tell a retry and a dead letter by their causes', async () => {
    await namespace.broker.send('no json');
    await namespace.broker.send({ conversation_id: 'nobody-posted-this' });
    await workerShows('friendship_dead_letters_total', { reason: 'INVALID_MESSAGE' }, 1);
    await workerShows('friendship_dead_letters_total', { reason: 'CONVERSATION_NOT_FOUND' }, 1);
    await workerShows('friendship_retries_total', { error_type: 'CONVERSATION_NOT_FOUND' }, 2);
  });

  it('know the age of the oldest conversation that is not settled, and the verdict of the last whole audit', async () => {
    const fresh = await ServiceProcess.start('worker', namespace.variables);
    await fresh.ready();
    expect(valueOf(await scrape(fresh), 'friendship_oldest_unsettled_seconds')).toBe(0);
    expect(valueOf(await scrape(fresh), 'friendship_audit_differences')).toBeUndefined();

    // Stored an hour ago, and never queued.
    await namespace.database.query(
      `INSERT INTO conversation_events (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time,
                                        conversation_log, fingerprint, accepted_at, publish_due_at)
       VALUES ('conv-old', 'child-old', 'bot', 'bot', 'TALK', now() - interval '2 hours', now() - interval '1 hour', '[]',
               sha256('old'), now() - interval '1 hour', 'infinity')`,
    );
    await runCli(namespace.variables, 'audit');
    const later = await ServiceProcess.start('worker', namespace.variables);
    await later.ready();
    const samples = await scrape(later);
    expect(valueOf(samples, 'friendship_oldest_unsettled_seconds')).toBeGreaterThanOrEqual(3600);
    expect(valueOf(samples, 'friendship_audit_differences')).toBe(0);
    expect(valueOf(samples, 'friendship_audit_timestamp_seconds')).toBeGreaterThan(Date.now() / 1000 - 300);
  });

  it('are what their definitions say, with no id in any label', async () => {
    const posted = conversation({ user_id: 'child-in-no-label' });
    const user = String(posted.user_id);
    await api.post('/v1/conversations/end', posted);
    await api.get(`/v1/conversations/${posted.conversation_id}`);
    await api.get(`/v1/friendship/${user}`);
    await api.get(`/nowhere/${user}`);
    for (const service of [api, worker]) {
      const { text } = await service.get('/metrics');
      expect(text).not.toContain(posted.conversation_id);
      expect(text).not.toContain(user);
      const samples = parseSamples(text);
      for (const { name, type, labels } of DEFINITIONS) {
        expect(text).toContain(`# TYPE ${name} ${type}\n`);
        const found = samples.filter((sample) => sample.name.replace(/_(bucket|sum|count)$/, '') === name);
        for (const sample of found)
          expect([...labels, 'le']).toEqual(expect.arrayContaining(Object.keys(sample.labels)));
      }
    }
  });

  it.each(['api', 'worker'])(
    'of the %s are well-formed in the eyes of promtool',
    async (role) => {
      const promtool = await debianProgram('promtool');
      const { text } = await (role === 'api' ? api : worker).get('/metrics');
      const child = spawn(promtool, ['check', 'metrics']);
      let said = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += String(chunk)));
      child.stdin.end(text);
      const [code] = (await once(child, 'close')) as [number];
      expect({ code, said }).toEqual({ code: 0, said: '' });
    },
    INSTALLATION,
  );
});
