/** `node dist/cli.js COMMAND`: the operators' tools. Exit codes: 0 done, 1 failed, 2 wrong usage. */
import 'reflect-metadata';
import { NestFactory } from '@nestjs/core';
import { EnvironmentError, readEnvironment } from './config/environment';
import { DatabaseMonitor } from './database/database-monitor';
import { describeError, errorCode } from './errors/describe';
import { UsageError } from './operations/command';
import { COMMANDS, findCommand } from './operations/commands';
import { OperationsModule } from './operations/operations.module';
import { TopicFileError } from './operations/topic-agents-file';

/** How long a command waits for the database, milliseconds. */
const DATABASE_LIMIT = 15_000;

/** PostgreSQL's code. */
const PERMISSION_DENIED = '42501';

/** Of one command, or of all. */
function usage(args: readonly string[]): string {
  const { command: asked } = findCommand([...args]);
  const lines = Object.values(COMMANDS)
    .filter((command) => asked === undefined || command === asked)
    .map((command) => `  ${command.usage}\n      ${command.summary}`);
  return `Usage: node dist/cli.js COMMAND\n\n${lines.join('\n')}\n`;
}

async function main(args: string[]): Promise<void> {
  if (args.length === 0 || args.includes('--help')) return void process.stdout.write(usage(args));
  const { command, rest } = findCommand(args);
  if (!command)
    throw new UsageError(`expected one of: ${Object.keys(COMMANDS).join(', ')}; got: ${args.slice(0, 2).join(' ')}`);
  if ('standalone' in command) return void (process.exitCode = (await command.run(rest)) ?? 0);
  // No API key is needed to work on the database.
  const environment = readEnvironment(undefined, { APP_ROLE: 'worker' });
  const app = await NestFactory.createApplicationContext(OperationsModule.for(environment), { logger: false });
  try {
    const database = app.get(DatabaseMonitor);
    await database.waitUntilUp(AbortSignal.timeout(DATABASE_LIMIT)).catch(() => {
      throw new UsageError(
        `expected to reach the database within ${DATABASE_LIMIT / 1000} s: ${database.state.reason ?? 'no answer'}`,
      );
    });
    process.exitCode = (await command.run(app, rest)) ?? 0;
  } finally {
    await app.close();
  }
}

// Whoever reads the output may have seen enough, as `head` has.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit();
});

main(process.argv.slice(2)).catch((error: unknown) => {
  if (errorCode(error) === PERMISSION_DENIED) {
    process.stderr.write(
      'DATABASE_URL: expected a role that may do this, such as the one that migrates, got one that may not\n',
    );
    process.exitCode = 1;
    return;
  }
  const wrongUsage = error instanceof UsageError;
  const known = wrongUsage || error instanceof EnvironmentError || error instanceof TopicFileError;
  process.stderr.write(known ? `${error.message}\n` : `failed: ${JSON.stringify(describeError(error), null, 2)}\n`);
  process.exitCode = wrongUsage ? 2 : 1;
});
