// @ts-check
/** PostgreSQL and RabbitMQ from the programs on this machine, as private instances of this checkout. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { tmpdir } from 'node:os';
import { checkoutHash, credentials, servicesDir, writeState } from './checkout.mjs';
import { installDebianPackages } from './debian-packages.mjs';
import { OLDEST_POSTGRES, findPostgres, findRabbitmq } from './find-binaries.mjs';
import { choosePorts } from './ports.mjs';
import { dataDir, postgresUser } from './private-location.mjs';
import { postgresIsHealthy, startPostgres, stopPostgres } from './private-postgres.mjs';
import { rabbitmqIsHealthy, startRabbitmq, stopRabbitmq } from './private-rabbitmq.mjs';

/**
 * @typedef {object} PrivateState
 * @property {'private'} source
 * @property {import('./private-postgres.mjs').PostgresInstance} [postgres]
 * @property {import('./private-rabbitmq.mjs').RabbitmqInstance} [rabbitmq]
 * @property {string} databaseUrl
 * @property {string} rabbitmqUrl
 */

/** @type {import('./provider.mjs').Provider} */
export const privateProvider = {
  source: 'private',

  async start({ progress, signal, current }) {
    const found = await findOrInstall(progress);
    signal.throwIfAborted();
    if ('missing' in found) return { unavailable: found.missing };

    const user = postgresUser();
    const parent = await dataDir(user);
    const ports = await choosePorts(['postgres', 'amqp', 'distribution', 'portMapper']);
    const { user: name, password, database } = credentials();
    /** @type {PrivateState} */
    const state = {
      ...(current?.source === 'private' ? current : {}),
      source: 'private',
      databaseUrl: `postgresql://${name}:${password}@127.0.0.1:${ports.postgres}/${database}`,
      rabbitmqUrl: `amqp://${name}:${password}@127.0.0.1:${ports.amqp}`,
    };
    // One of the two may still run from before; what runs keeps its place, and its port.
    const starts = [];
    if (await postgresIsHealthy(state.postgres)) {
      state.databaseUrl = `postgresql://${name}:${password}@127.0.0.1:${state.postgres?.port}/${database}`;
    } else {
      await stopPostgres(state.postgres);
      const onStarted = remembering(state, 'postgres');
      starts.push(
        progress.step(`starting PostgreSQL ${found.postgres.version}`, () =>
          startPostgres({ binaries: found.postgres, parent, user, port: ports.postgres, signal, onStarted }),
        ),
      );
    }
    if (await rabbitmqIsHealthy(state.rabbitmq)) {
      state.rabbitmqUrl = `amqp://${name}:${password}@127.0.0.1:${state.rabbitmq?.port}`;
    } else {
      await stopRabbitmq(state.rabbitmq);
      const onStarted = remembering(state, 'rabbitmq');
      starts.push(
        progress.step('starting RabbitMQ', () =>
          startRabbitmq({ binaries: found.rabbitmq, parent, ports, signal, onStarted }),
        ),
      );
    }
    const failed = (await Promise.allSettled(starts)).find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
    writeState('state.json', state);
    return { state };
  },

  async isHealthy(state) {
    const { postgres, rabbitmq } = /** @type {PrivateState} */ (state);
    return (await Promise.all([postgresIsHealthy(postgres), rabbitmqIsHealthy(rabbitmq)])).every(Boolean);
  },

  async stop(state) {
    const { postgres, rabbitmq } = /** @type {PrivateState} */ (state);
    await Promise.all([stopPostgres(postgres), stopRabbitmq(rabbitmq)]);
  },

  async wipe() {
    for (const parent of [servicesDir, join(tmpdir(), `friendship-service-${checkoutHash}`)]) {
      for (const name of ['postgres', 'rabbitmq']) rmSync(join(parent, name), { recursive: true, force: true });
    }
  },
};

/**
 * Written down the moment there is something to stop: this process may be killed at any time.
 * @template {'postgres' | 'rabbitmq'} Name
 * @param {PrivateState} state
 * @param {Name} name
 * @returns {(instance: NonNullable<PrivateState[Name]>) => void}
 */
function remembering(state, name) {
  delete state[name];
  return (instance) => {
    state[name] = instance;
    writeState('state.json', state);
  };
}

/**
 * @param {import('../progress.mjs').Progress} progress
 * @returns {Promise<{ postgres: import('./find-binaries.mjs').PostgresBinaries, rabbitmq: import('./find-binaries.mjs').RabbitmqBinaries } | { missing: string }>}
 */
export async function findOrInstall(progress) {
  const postgres = await findPostgres();
  const rabbitmq = findRabbitmq();
  if (postgres && rabbitmq) return { postgres, rabbitmq };

  /** @type {import('./debian-packages.mjs').Package[]} */
  const packages = [];
  if (!postgres) packages.push('postgresql');
  if (!rabbitmq) packages.push('rabbitmq-server');
  const failure = await installDebianPackages(packages, { progress });
  const postgresNow = await findPostgres();
  const rabbitmqNow = findRabbitmq();
  if (postgresNow && rabbitmqNow) return { postgres: postgresNow, rabbitmq: rabbitmqNow };

  const names = [postgresNow ? [] : `PostgreSQL ${OLDEST_POSTGRES} or newer`, rabbitmqNow ? [] : 'RabbitMQ']
    .flat()
    .join(' and ');
  return {
    missing: `${names} not found on this machine, and could not be installed: ${failure ?? 'the packages do not hold them'}`,
  };
}
