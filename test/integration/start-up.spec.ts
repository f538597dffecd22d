import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll, type LogLine } from '../support/service-process';
import { settledEvent } from '../support/stored';

describe('starting', () => {
  let namespace: Namespace;

  beforeAll(async () => {
    namespace = await createNamespace();
  });
  afterEach(stopAll);
  afterAll(() => namespace.remove());

  describe('with a bad environment', () => {
    it('ends with 1 and names every problem at once, with what was expected and got, and no secret', async () => {
      const service = ServiceProcess.spawn('everything', {
        ...namespace.variables,
        NODE_ENV: 'staging',
        PORT: '99999',
        HOST: 'not a host',
        LOG_LEVEL: 'loud',
        LOG_FORMAT: 'xml',
        API_KEYS: 'short-secret',
        HTTP_BODY_LIMIT: '8MB',
        PUBLISH_TIMEOUT: '500',
        SHUTDOWN_TIMEOUT: 'soon',
        DATABASE_URL: 'mysql://user:database-secret@host/name',
        DATABASE_POOL_SIZE: '0',
        RABBITMQ_URL: 'rabbit-secret',
        RABBITMQ_QUEUE: 'a queue',
        MESSAGE_CONCURRENCY_PER_WORKER: 'abc',
        RABBITMQ_CHANNELS: '1.5',
        RETRY_DELAYS: '5s,,30s',
        BUSINESS_TIME_ZONE: 'Mars/Olympus',
      });
      expect(await service.ended()).toBe(1);
      const text = service.lines.join('\n');
      const named = [...text.matchAll(/^ *([A-Z_]+): expected .+, got .+$/gm)].map(([, name]) => name);
      expect(named.sort()).toEqual(
        [
          'APP_ROLE',
          'NODE_ENV',
          'PORT',
          'HOST',
          'LOG_LEVEL',
          'LOG_FORMAT',
          'API_KEYS',
          'HTTP_BODY_LIMIT',
          'PUBLISH_TIMEOUT',
          'SHUTDOWN_TIMEOUT',
          'DATABASE_URL',
          'DATABASE_POOL_SIZE',
          'RABBITMQ_URL',
          'RABBITMQ_QUEUE',
          'MESSAGE_CONCURRENCY_PER_WORKER',
          'RABBITMQ_CHANNELS',
          'RETRY_DELAYS',
          'BUSINESS_TIME_ZONE',
        ].sort(),
      );
      expect(text).toContain('MESSAGE_CONCURRENCY_PER_WORKER: expected an integer 1..10000, got "abc"');
      expect(text).not.toMatch(/secret/);
      expect(service.log).toEqual([]);
    });

    it('names what is missing', async () => {
      const service = ServiceProcess.spawn('all', { LOG_FORMAT: 'json' });
      expect(await service.ended()).toBe(1);
      expect(service.lines.join('\n')).toMatch(
        /DATABASE_URL: expected .*, got nothing[^]*RABBITMQ_URL: expected .*, got nothing/,
      );
    });

    it('says when C is no multiple of K', async () => {
      const uneven = { MESSAGE_CONCURRENCY_PER_WORKER: '10', RABBITMQ_CHANNELS: '3' };
      const service = ServiceProcess.spawn('worker', { ...namespace.variables, ...uneven });
      expect(await service.ended()).toBe(1);
      expect(service.lines.join('\n')).toMatch(/MESSAGE_CONCURRENCY_PER_WORKER: expected a multiple of .* got 10/);
    });
  });

  it('refuses to run when all processes together need more connections than the server has, and says what to change', async () => {
    const service = ServiceProcess.spawn('worker', { ...namespace.variables, WORKER_REPLICAS: '10000' });
    expect(await service.ended()).toBe(1);
    expect(service.lines.join('\n')).toMatch(
      /did not start\. DATABASE_CONNECTION_BUDGET: expected .* at most \d+ connections .*, got 110027 = .*: lower DATABASE_POOL_SIZE/,
    );
    expect(service.log.findLast(({ msg }) => msg === 'stopped')).toMatchObject({
      reason: 'CONNECTION_BUDGET_EXCEEDED',
    });
  });

  it('warns that nobody can check the connections of all processes while W is not known', async () => {
    const service = await ServiceProcess.start('api', namespace.variables);
    const line = await service.logged('the warning', ({ msg }) => msg.startsWith('WORKER_REPLICAS: expected'));
    expect(line).toMatchObject({ level: 'warn', msg: expect.stringContaining('this one may take 11') });
    expect(await service.stop()).toBe(0);
  });

  it('on a port that is in use ends with 1 and says which one', async () => {
    const first = await ServiceProcess.start('api', namespace.variables);
    const { port } = new URL(first.url);
    const second = ServiceProcess.spawn('api', { ...namespace.variables, PORT: port });
    expect(await second.ended()).toBe(1);
    const text = second.lines.join('\n');
    expect(text).toContain('EADDRINUSE');
    expect(text).toContain(port);
    expect((await first.get('/health/live')).status).toBe(200);
    expect(await first.stop()).toBe(0);
  });

  it.each(['api', 'worker', 'all'] as const)('as %s and told to stop at once ends with 0', async (role) => {
    for (let time = 0; time < 3; time++) {
      const service = await ServiceProcess.start(role, namespace.variables);
      if ((await service.stop()) !== 0) throw new Error(service.lines.slice(-5).join('\n'));
    }
  });

  describe('logs one line', () => {
    async function startLine(role: 'api' | 'worker', variables: Record<string, string>): Promise<LogLine> {
      const service = await ServiceProcess.start(role, { ...namespace.variables, ...variables });
      await service.ready();
      expect(service.log.filter(({ msg }) => msg === 'listening')).toHaveLength(1);
      const line = service.log.find(({ msg }) => msg === 'listening')!;
      const { password } = new URL(namespace.variables.DATABASE_URL);
      expect(password).not.toBe('');
      expect(service.lines.filter((each) => each.includes(password))).toEqual([]);
      expect(await service.stop()).toBe(0);
      return line;
    }
    const places = () => {
      const database = new URL(namespace.variables.DATABASE_URL);
      const broker = new URL(namespace.variables.RABBITMQ_URL);
      return {
        database: database.host + database.pathname,
        broker: broker.host + broker.pathname,
        queue: namespace.queue,
      };
    };

    it('that says what a worker is: its role, K x P = C, W, pool, versions and places', async () => {
      const line = await startLine('worker', {
        MESSAGE_CONCURRENCY_PER_WORKER: '12',
        RABBITMQ_CHANNELS: '3',
        WORKER_REPLICAS: '4',
        DATABASE_POOL_SIZE: '6',
      });
      expect(line).toMatchObject({
        level: 'info',
        role: 'worker',
        concurrency: 'K 3 x P 4 = C 12',
        W: 4,
        pool: 6,
        profile: 'test',
        version: expect.stringMatching(/^\d+\.\d+\.\d+/),
        node: process.version,
        url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
        ...places(),
      });
    });

    it('that says what an api is, which has no concurrency', async () => {
      const line = await startLine('api', {});
      expect(line).toMatchObject({ role: 'api', pool: 10, ...places() });
      expect(line).not.toHaveProperty('concurrency');
    });
  });

  it('in the role all, one process does both jobs', async () => {
    const service = await ServiceProcess.start('all', namespace.variables);
    await service.ready();
    const body = conversation({ user_id: 'child-all' });
    expect((await service.post('/v1/conversations/end', body)).status).toBe(202);
    expect(await settledEvent(namespace, body.conversation_id)).toMatchObject({ status: 'PROCESSED' });
    expect((await service.get('/v1/friendship/child-all')).body).toMatchObject({ friendship_score: 3 });
    expect(await service.stop()).toBe(0);
  });
});
