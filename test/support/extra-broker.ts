import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** A RabbitMQ of a test's own. */
export interface ExtraBroker {
  readonly url: string;
  /** What `{port}` in its settings stands for. */
  readonly port: number;
  stop(): Promise<void>;
}

/** @param options lines of rabbitmq.conf, in which `{port}` stands for a free port, and plugins */
export async function startExtraBroker(options: {
  readonly settings?: readonly string[];
  readonly plugins?: readonly string[];
}): Promise<ExtraBroker> {
  const child = spawn(process.execPath, [join(__dirname, 'extra-broker.mjs'), JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk) => (said += String(chunk)));
  const closed = once(child, 'close');
  const line = await Promise.race([
    once(createInterface(child.stdout), 'line') as Promise<[string]>,
    closed.then(() => {
      throw new Error(`the broker did not start: ${said}`);
    }),
  ]);
  const { url, port } = JSON.parse(line[0]) as { url: string; port: number };
  return {
    url,
    port,
    async stop() {
      child.kill('SIGTERM');
      await closed;
    },
  };
}
