import { createCertificates, type Certificates } from '../support/certificates';
import { conversation } from '../support/conversations';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { settledEvent } from '../support/stored';
import { TlsProxy } from '../support/tls-proxy';
import { until } from '../support/until';

describe('TLS to PostgreSQL and RabbitMQ', () => {
  let namespace: Namespace;
  let ours: Certificates;
  let foreign: Certificates;
  let database: TlsProxy;
  let broker: TlsProxy;

  beforeAll(async () => {
    namespace = await createNamespace();
    ours = createCertificates('DNS:localhost');
    foreign = createCertificates('DNS:localhost');
    database = await TlsProxy.to(namespace.variables.DATABASE_URL, ours);
    broker = await TlsProxy.to(namespace.variables.RABBITMQ_URL, ours);
  });
  afterEach(stopAll);
  afterAll(async () => {
    await Promise.all([database.close(), broker.close()]);
    ours.remove();
    foreign.remove();
    await namespace.remove();
  });

  /** @param ca the authority that the service trusts @param host as which it knows the servers */
  const variables = (ca: Certificates, host = 'localhost') => ({
    ...namespace.variables,
    DATABASE_URL: database.url('postgresql', host),
    RABBITMQ_URL: broker.url('amqps', host),
    DATABASE_CA_FILE: ca.caFile,
    RABBITMQ_CA_FILE: ca.caFile,
  });

  it('is used when the authority of their certificates is known, by everything that connects', async () => {
    const all = await (await ServiceProcess.start('all', variables(ours))).ready();
    const posted = conversation();
    expect((await all.post('/v1/conversations/end', posted)).status).toBe(202);
    expect((await settledEvent(namespace, posted.conversation_id)).status).toBe('PROCESSED');
    await all.logged('RPC', ({ msg }) => msg === 'answering RPC requests');
    expect(await all.stop()).toBe(0);
  });

  it.each([
    ['of another authority', () => variables(foreign), 'SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['for another name', () => variables(ours, '127.0.0.1'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ])('refuses a certificate %s', async (_what, settings, code) => {
    const worker = await ServiceProcess.start('worker', settings());
    const details = await until('both to be refused', async () => {
      const { body } = await worker.get<{ details: Record<string, { status: string; reason?: string }> }>(
        '/health/ready',
      );
      const { database: ofDatabase, broker: ofBroker } = body.details;
      return [ofDatabase, ofBroker].every(({ reason }) => new RegExp(code).test(reason ?? '')) && body.details;
    });
    expect(details).toMatchObject({ database: { status: 'down' }, broker: { status: 'down' } });
  });

  it('is said to be missing where a server has none', async () => {
    const { DATABASE_CA_FILE } = variables(ours);
    const worker = await ServiceProcess.start('worker', { ...namespace.variables, DATABASE_CA_FILE });
    await worker.logged('why', ({ msg, reason }) => msg === 'database is away' && reason === 'TLS_NOT_OFFERED');
    expect(await worker.stop()).toBe(0);
  });
});
