// @ts-check
/**
 * `npm run e2e:compose`: the image and the stack of docker-compose.yml on a real Docker engine, from nothing to nothing.
 *
 *   npm run e2e:compose [-- --events 3000 --rate 40 --seed 7]
 *
 * Builds the image, starts the stack with three workers, posts conversations, scales to one worker and restarts the broker in the middle,
 * and compares every event and every child's status with what an independent oracle says. A table and, as the last line on stdout, JSON;
 * the exit code is 0 only when everything holds. Times are told, not judged. Without an engine or a registry see scripts/compose/.
 */
import { randomInt } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runCommand } from './command.mjs';
import { getBaseImages } from './compose/base-images.mjs';
import { cacheDir, getEngine } from './compose/engine.mjs';
import { buildService, inspectImage, lookInside } from './compose/image.mjs';
import { runLoad, SERVICE_SETTINGS } from './compose/load.mjs';
import { createReport, readLastLine } from './compose/report.mjs';
import { createStack } from './compose/stack.mjs';
import { ensureInstalled } from './prepare.mjs';
import { run } from './processes.mjs';
import { checkoutDir, checkoutHash } from './services/checkout.mjs';

/** Bytes, as a registry counts them before compression: what a node has to keep. */
const IMAGE_LIMIT = 250_000_000;

const USER = '10001';

/** W at the start, and after scaling down under load. */
const REPLICAS = { first: 3, then: 1 };

/** @param {string[]} args */
function readOptions(args) {
  const { values } = parseArgs({
    args,
    options: {
      events: { type: 'string', default: '3000' },
      rate: { type: 'string', default: '40' },
      seed: { type: 'string' },
    },
  });
  const number = (/** @type {'events' | 'rate'} */ name) => {
    const value = Number(values[name]);
    if (!(value >= 1)) throw new Error(`--${name}: expected a number from 1 on, got "${values[name]}".`);
    return value;
  };
  return { events: number('events'), rate: number('rate'), seed: values.seed ?? String(randomInt(1_000_000)) };
}

/** @type {import('./command.mjs').Command} */
async function main(context) {
  const { args, progress, signal, onExit } = context;
  const options = readOptions(args);
  setMaxListeners(0, signal);
  const report = createReport();
  // Registered first, so done last: nothing may follow the JSON.
  onExit('the report', async () => report.write());
  report.tell('commit', await commit());
  report.tell('seed', options.seed);

  await ensureInstalled({ progress, signal });
  const engine = await getEngine(context);
  progress.note(engine.name);
  report.tell('engine', engine.name);
  const docker = { engine, progress, signal };

  const { images, origin } = await report.timed('base images', () => getBaseImages(docker));
  report.tell('base images', origin);
  const tag = `friendship-service:e2e-${checkoutHash}`;
  await report.timed('build', () => buildService(docker, tag, images));
  onExit('the image', async () => void (await engine.docker(['image', 'rm', '--force', tag])));
  const image = await inspectImage(docker, tag, IMAGE_LIMIT);
  for (const folder of image.biggest) progress.note(`in the image: ${folder}`);
  report.check('image size, MB', image.bytes / 1e6, `< ${IMAGE_LIMIT / 1e6}`, image.bytes < IMAGE_LIMIT);
  report.equal('user of the image', image.user, `${USER}:${USER}`);

  mkdirSync(join(cacheDir, 'runs'), { recursive: true });
  const folder = mkdtempSync(join(cacheDir, 'runs', 'run-'));
  onExit('the folder of the run', async () => {
    if (report.holds()) rmSync(folder, { recursive: true, force: true });
    else progress.note(`logs and findings: ${folder}`);
  });
  const stack = await createStack({
    engine,
    project: `friendship-e2e-${checkoutHash}`,
    folder,
    images: { SERVICE_IMAGE: tag, POSTGRES_IMAGE: images.POSTGRES_IMAGE, RABBITMQ_IMAGE: images.RABBITMQ_IMAGE },
    settings: SERVICE_SETTINGS,
    signal,
  });
  onExit('the stack', async () => void (await stack.down()));
  await step('start', `starting the stack with ${REPLICAS.first} workers`, () => stack.up(REPLICAS.first));
  const workers = await stack.containers('worker');
  report.equal('workers started', workers.length, REPLICAS.first);
  for (const [service, container] of [
    ['api', ...(await stack.containers('api'))],
    ['worker', ...workers],
  ])
    await checkConfinement(service ?? '', container ?? '');

  const { numbers, leftInQueues, audit } = await runLoad({
    ...options,
    stack,
    folder,
    progress,
    signal,
    onExit,
    midway: [
      () => step('scale down', `scaling to ${REPLICAS.then} worker under load`, () => stack.up(REPLICAS.then)),
      () => step('broker restart', 'restarting the broker under load', () => stack.restart('rabbitmq')),
    ],
    onFinding: report.finding,
    onTime: report.time,
  });
  report.equal('workers after scaling', (await stack.containers('worker')).length, REPLICAS.then);
  report.tell('conversations', numbers);
  report.check('accepted', numbers.accepted, `= ${options.events}`, numbers.accepted === options.events);
  report.equal('counted or skipped', numbers.processed + numbers.skipped, numbers.accepted);
  report.equal('dead letters', numbers.deadLettered, numbers.expectedDeadLettered);
  for (const name of /** @type {const} */ ([
    'lost',
    'duplicated',
    'eventMismatches',
    'statusMismatches',
    'unexpectedAnswers',
  ]))
    report.equal(name, numbers[name], 0);
  report.equal('audit: differences', audit.differences, 0);
  report.equal('left in queues', leftInQueues, 0);

  await step('stop', 'stopping everything', () => stack.stop());
  const ends = await stack.ends();
  const drained = ends.filter(({ service }) => service === 'worker');
  const codes = (/** @type {typeof ends} */ list) => list.map(({ exitCode }) => exitCode).join(' ');
  report.equal('exit codes of the workers', codes(drained), workers.map(() => 0).join(' '));
  report.equal('exit code of the api', codes(ends.filter(({ service }) => service === 'api')), '0');
  const lastLines = drained.map(({ log }) => readLastLine(log));
  report.tell('workers', lastLines);
  const stopped = lastLines.filter(({ msg }) => msg === 'stopped').length;
  report.equal('workers whose last line is their count', stopped, workers.length);
  // What each worker says it committed is what there is: no conversation twice, and none that nobody committed. A commit whose answer
  // was lost is found done at the next delivery, and counted as a duplicate.
  const sum = (/** @type {string} */ name) =>
    lastLines.reduce((total, { results }) => total + (results?.[name] ?? 0), 0);
  const [counted, doneBefore] = [sum('processed'), sum('duplicate')];
  const { processed } = numbers;
  const expected = `≤ ${processed} ≤ with ${doneBefore} found done before`;
  report.check(
    'counted, by the last lines',
    counted,
    expected,
    counted <= processed && processed <= counted + doneBefore,
  );

  const left = await step('down', 'taking the stack down with its data', () => stack.down());
  report.equal('containers, volumes, networks left', left.length, 0);
  return report.holds() ? 0 : 1;

  /** @template T @param {string} name @param {string} text @param {() => Promise<T>} work */
  function step(name, text, work) {
    return report.timed(name, () => progress.step(text, work));
  }

  /** @param {string} service @param {string} container */
  async function checkConfinement(service, container) {
    const own = await lookInside(docker, container, 'its own');
    const root = await lookInside(docker, container, 'root');
    report.equal(`${service}: user and group of process 1`, `${own.uid}:${own.gid}`, `${USER}:${USER}`);
    report.equal(`${service}: capabilities`, Number.parseInt(own.capabilities, 16), 0);
    report.equal(`${service}: no new privileges`, own.noNewPrivileges, '1');
    report.equal(`${service}: a write as its user`, own.root, 'EROFS');
    report.equal(`${service}: a write as root`, root.root, 'EROFS');
    report.equal(`${service}: a write below /tmp`, own.tmp, 'written');
  }
}

async function commit() {
  const git = async (/** @type {string[]} */ ...args) => (await run('git', args, { cwd: checkoutDir })).stdout.trim();
  return `${await git('rev-parse', '--short=12', 'HEAD')}${(await git('status', '--porcelain')) ? '+changes' : ''}`;
}

await runCommand(main);
