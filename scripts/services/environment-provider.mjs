// @ts-check
import { portAnswers } from './probe.mjs';
import { withoutPassword } from '../progress.mjs';

/**
 * Services that the caller names by DATABASE_URL and RABBITMQ_URL: used as they are, never started nor stopped.
 * @returns {Promise<{ databaseUrl: string, rabbitmqUrl: string } | undefined>} undefined when neither is set
 */
export async function servicesFromEnvironment() {
  const databaseUrl = process.env.DATABASE_URL || undefined;
  const rabbitmqUrl = process.env.RABBITMQ_URL || undefined;
  if (databaseUrl === undefined && rabbitmqUrl === undefined) return undefined;
  if (databaseUrl === undefined || rabbitmqUrl === undefined) {
    const [set, unset] =
      databaseUrl === undefined ? ['RABBITMQ_URL', 'DATABASE_URL'] : ['DATABASE_URL', 'RABBITMQ_URL'];
    throw new Error(
      `Expected DATABASE_URL and RABBITMQ_URL both set, or neither; got ${set} without ${unset}. Set ${unset} too, or unset ${set} to have both provided.`,
    );
  }
  await expectAnswer('DATABASE_URL', databaseUrl, 5432);
  await expectAnswer('RABBITMQ_URL', rabbitmqUrl, rabbitmqUrl.startsWith('amqps:') ? 5671 : 5672);
  return { databaseUrl, rabbitmqUrl };
}

/** @param {string} name @param {string} url @param {number} defaultPort */
async function expectAnswer(name, url, defaultPort) {
  if (!URL.canParse(url))
    throw new Error(`${name}: expected a URL, got a text of ${url.length} characters that is none.`);
  const { hostname, port } = new URL(url);
  if (hostname === '') return; // a Unix socket, say: the driver knows
  if (await portAnswers({ host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || defaultPort })) return;
  throw new Error(`${name}: expected a server at ${withoutPassword(url)}, got no answer.`);
}
