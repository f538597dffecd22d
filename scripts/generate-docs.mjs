// @ts-check
/**
 * `npm run docs`: writes the parts of the documentation that the code knows better. `--check` writes nothing, and fails
 * at the first part that is not fresh.
 *
 * A further part is one more line in PARTS: a whole file, or what stands between two markers of a file:
 *
 *   <!-- NAME:begin -->  …  <!-- NAME:end -->
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { performanceChapter, pictures, shortTable, tuningPart } from '../bench/documents.mjs';
import { applyOnly, explicitStatements, loadAndApply } from '../bench/pgbench-scripts.mjs';
import { runCommand } from './command.mjs';
import { ensureBuilt, ensureInstalled } from './prepare.mjs';
import { checkoutDir } from './services/checkout.mjs';

/**
 * @typedef {object} Setting a field of src/config/environment.ts
 * @property {string} group
 * @property {string} description
 * @property {{ expected: string }} parser
 * @property {string} [default]
 * @property {string} [productionDefault]
 * @property {boolean} [required]
 * @property {boolean} [secret]
 *
 * @typedef {[name: string, setting: Setting][]} Settings in the order of the source
 *
 * @typedef {object} Part
 * @property {string} file
 * @property {string} [between] the markers' name; without it, the part is the whole file
 * @property {(settings: Settings) => string} render lines, without a line break at the end
 */

/** @type {Part[]} */
const PARTS = [
  { file: '.env.example', render: exampleEnvironment },
  { file: 'README.md', between: 'settings', render: settingsTable },
  { file: 'docs/configuration.md', between: 'profiles', render: profilesTable },
  { file: 'docs/metrics.md', between: 'metrics', render: metricsTable },
  { file: 'README.md', between: 'performance', render: shortTable },
  { file: 'docs/performance.md', between: 'results', render: performanceChapter },
  { file: 'docs/tuning.md', between: 'tuning', render: () => tuningPart('tuning') },
  { file: 'docs/tuning.md', between: 'adaptive', render: () => tuningPart('adaptive') },
  ...pictures(),
  { file: 'bench/pgbench/load-and-apply.sql', render: () => loadAndApply(readStatements()).trimEnd() },
  { file: 'bench/pgbench/apply-only.sql', render: () => applyOnly(readStatements()).trimEnd() },
  { file: 'bench/pgbench/explicit-statements.sql', render: () => explicitStatements(readStatements()).trimEnd() },
];

/** What a setting without a default is in the services of docker-compose.yml, seen from this machine. */
const EXAMPLES = /** @type {Record<string, string>} */ ({
  DATABASE_URL: 'postgresql://friendship:friendship@localhost:5432/friendship',
  RABBITMQ_URL: 'amqp://friendship:friendship@localhost:5672',
});

const COMMENT_WIDTH = 100;

/** @type {import('./command.mjs').Command} */
async function main({ args, progress, signal }) {
  const unknown = args.find((arg) => arg !== '--check');
  if (unknown) throw new Error(`Expected --check or nothing, got "${unknown}".`);
  await ensureInstalled({ progress, signal });
  await ensureBuilt({ progress, signal });
  const settings = readSettings();
  for (const part of PARTS) {
    const path = join(checkoutDir, part.file);
    const before = existsSync(path) ? readFileSync(path, 'utf8') : undefined;
    if (before === undefined && part.between !== undefined) {
      progress.note(`${part.file}: not there, skipped`);
      continue;
    }
    const after = place(part, before ?? '', part.render(settings));
    if (after === before) progress.note(`${part.file}: fresh`);
    else if (args.includes('--check')) throw new Error(staleness(part.file, before, after));
    else {
      writeFileSync(path, after);
      progress.note(`${part.file}: written`);
    }
  }
}

/** @returns {Settings} */
function readSettings() {
  return Object.entries(built('config/environment.js').FIELDS);
}

/** @param {string} module a file of the build */
function built(module) {
  return createRequire(import.meta.url)(join(checkoutDir, 'dist', module));
}

/** What the worker sends to PostgreSQL. @returns {import('../bench/pgbench-scripts.mjs').Statements} */
function readStatements() {
  const { APPLY_SCORE, LOAD } = built('conversation-events/conversation-events.repository.js');
  return {
    load: LOAD,
    apply: APPLY_SCORE,
    fold: built('friendship-status/friendship-fold.sql.js').foldIntoFriendshipStatus,
  };
}

/**
 * @param {Part} part
 * @param {string} current
 * @param {string} rendered
 * @returns {string} the whole file
 */
function place({ file, between }, current, rendered) {
  if (between === undefined) return `${rendered}\n`;
  const [begin, end] = [`<!-- ${between}:begin -->`, `<!-- ${between}:end -->`];
  const from = current.indexOf(begin);
  const to = current.indexOf(end);
  if (from < 0 || to < from) throw new Error(`${file}: expected ${begin} and, after it, ${end}; got no such pair.`);
  return `${current.slice(0, from + begin.length)}\n\n${rendered}\n\n${current.slice(to)}`;
}

/**
 * @param {string} file
 * @param {string | undefined} before
 * @param {string} after
 */
function staleness(file, before, after) {
  if (before === undefined) return `${file}: expected the generated file, got nothing. Run \`npm run docs\`.`;
  const [got, expected] = [before.split('\n'), after.split('\n')];
  const differing = expected.findIndex((line, index) => line !== got[index]);
  const at = differing < 0 ? expected.length : differing; // none differs: the file goes on where it should end
  const show = (/** @type {string | undefined} */ line) =>
    line === undefined ? 'the end of the file' : JSON.stringify(line);
  return `${file}:${at + 1}: expected ${show(expected[at])}\n  got ${show(got[at])}\nRun \`npm run docs\`.`;
}

/** @type {Part['render']} */
function exampleEnvironment(settings) {
  const lines = [
    '# All settings of the service, made by `npm run docs` from src/config/environment.ts.',
    '# Docker Compose reads a copy named .env; so does `node --env-file=.env dist/main.js`.',
    '# What is commented out shows the default.',
  ];
  for (const [group, members] of grouped(settings)) {
    lines.push('', `# --- ${group} ---`);
    for (const [name, setting] of members) {
      lines.push('', ...comment(setting.description), ...comment(`Expected: ${setting.parser.expected}`));
      if (setting.required) lines.push('# Required.', `${name}=${exampleOf(name)}`);
      else lines.push(...comment(`Default: ${plainDefault(setting)}`), `# ${name}=${setting.default ?? ''}`);
    }
  }
  return lines.join('\n');
}

/** @type {Part['render']} */
function settingsTable(settings) {
  const lines = ['| Variable | Meaning | Expected | Default |', '|---|---|---|---|'];
  for (const [group, members] of grouped(settings)) {
    lines.push(`| **${group}** | | | |`);
    for (const [name, setting] of members) {
      lines.push(row(`\`${name}\``, setting.description, setting.parser.expected, markdownDefault(setting)));
    }
  }
  return lines.join('\n');
}

/** @type {Part['render']} */
function profilesTable(settings) {
  const lines = ['| Variable | Development and test | Production |', '|---|---|---|'];
  for (const [name, setting] of settings) {
    if (setting.productionDefault === undefined) continue;
    lines.push(row(`\`${name}\``, code(setting.default), code(setting.productionDefault)));
  }
  return lines.join('\n');
}

/**
 * @typedef {object} Metric an entry of src/observability/metrics.ts
 * @property {string} type
 * @property {string} group
 * @property {string} name
 * @property {string} help
 * @property {string[]} labels
 */

/** @type {Part['render']} */
function metricsTable() {
  /** @type {[string, Metric][]} */
  const metrics = Object.entries(built('observability/metrics.js').METRICS);
  const lines = ['| Metric | Type | Labels | Meaning |', '|---|---|---|---|'];
  for (const [group, members] of grouped(metrics)) {
    lines.push(`| **${group}** | | | |`);
    for (const [, { name, type, labels, help }] of members) {
      lines.push(row(`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help));
    }
  }
  return lines.join('\n');
}

/**
 * @template {{ group: string }} T
 * @param {[string, T][]} entries
 * @returns {Map<string, [string, T][]>} by group, in the order of the source
 */
function grouped(entries) {
  /** @type {Map<string, [string, T][]>} */
  const groups = new Map();
  for (const [name, entry] of entries) {
    groups.set(entry.group, [...(groups.get(entry.group) ?? []), [name, entry]]);
  }
  return groups;
}

/** @param {Setting} setting */
function plainDefault({ default: usual, productionDefault }) {
  return `${usual || 'not set'}${productionDefault === undefined ? '' : ` (in production: ${productionDefault})`}`;
}

/** @param {Setting} setting */
function markdownDefault({ default: usual, productionDefault, required }) {
  if (required) return 'required';
  return `${code(usual)}${productionDefault === undefined ? '' : `; in production ${code(productionDefault)}`}`;
}

/** @param {string | undefined} value */
function code(value) {
  return value ? `\`${value}\`` : 'not set';
}

function exampleOf(/** @type {string} */ name) {
  const example = EXAMPLES[name];
  if (example === undefined)
    throw new Error(`${name} is required: expected an example of it in scripts/generate-docs.mjs, got none.`);
  return example;
}

function row(/** @type {string[]} */ ...cells) {
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** @param {string} text @returns {string[]} comment lines, broken between words */
function comment(text) {
  const lines = [];
  let line = '#';
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > COMMENT_WIDTH && line !== '#') {
      lines.push(line);
      line = '#';
    }
    line += ` ${word}`;
  }
  return [...lines, line];
}

await runCommand(main);
