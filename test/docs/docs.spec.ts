import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { FIELDS, type Field } from '../../src/config/environment';
import { FAILURES } from '../../src/external-services/external-service-error';
import { ERROR_CATALOGUE } from '../../src/errors/coded-error';
import { HEADERS } from '../../src/messaging/incoming-message';
import { DEAD_LETTER_REASONS } from '../../src/messaging/outcome';
import { findCommand } from '../../src/operations/commands';

const root = join(__dirname, '..', '..');
const NOT_OURS = new Set(['node_modules', 'dist', 'coverage']);

/** Paths below `folder` of files whose names end with `ending`, relative to the checkout. */
function filesBelow(folder: string, ending: RegExp): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return NOT_OURS.has(entry.name) || entry.name.startsWith('.') ? [] : filesBelow(path, ending);
    return ending.test(entry.name) ? [path] : [];
  });
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

interface Document {
  readonly path: string;
  readonly text: string;
}

const documents: Document[] = filesBelow('.', /\.md$/).map((path) => ({ path, text: read(path) }));

/** The texts of a package's files. */
function sources(folder: string): string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.js'));
  return names.map((name) => readFileSync(join(folder, name), 'utf8'));
}

/** What is set as code: fenced blocks, and words between backticks. */
function code({ text }: Document): string[] {
  const fenced = [...text.matchAll(/^```(?!mermaid)\w*\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  const prose = text.replace(/^```[\s\S]*?^```$/gm, '');
  return [...fenced, ...[...prose.matchAll(/`([^`\n]+)`/g)].map(([, words]) => words)];
}

/** Every match of `pattern`'s first group in code, with the document that has it. */
function mentions(pattern: RegExp): { path: string; match: RegExpMatchArray }[] {
  return documents.flatMap((document) =>
    code(document).flatMap((part) => [...part.matchAll(pattern)].map((match) => ({ path: document.path, match }))),
  );
}

/** First cells of the rows of the table below a heading, without their backticks. */
function firstCells(path: string, heading: string): string[] {
  const [, section = ''] = read(path).split(`${heading}\n`);
  const rows = section.split(/^#/m)[0].matchAll(/^\| (`.+?`) \|/gm);
  return [...rows].flatMap(([, cell]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word));
}

/** The anchor that a heading gets. */
function anchor(heading: string): string {
  const letters = heading.replaceAll('`', '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
  return letters
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

function anchorsOf(path: string): Set<string> {
  return new Set([...read(path).matchAll(/^#{1,6} (.+)$/gm)].map(([, heading]) => anchor(heading)));
}

describe('the documentation', () => {
  it('lists every error code with its status, and no other', () => {
    const rows = [...read('docs/errors.md').matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)];
    const listed = Object.fromEntries(rows.map(([, name, status]) => [name, Number(status)]));
    const known = Object.fromEntries(Object.entries(ERROR_CATALOGUE).map(([name, { status }]) => [name, status]));
    expect(listed).toEqual(known);
    expect(rows).toHaveLength(Object.keys(known).length);
  });

  it('explains every failure of an external service, and no other', () => {
    expect(firstCells('docs/errors.md', '### Failures of external services').sort()).toEqual([...FAILURES].sort());
  });

  it('explains every dead-letter reason, and no other', () => {
    const reasons = [...DEAD_LETTER_REASONS].sort();
    expect(firstCells('docs/message-lifecycle.md', '### Dead-letter reasons').sort()).toEqual(reasons);
    expect(firstCells('docs/runbook.md', '## Dead letters arrive').sort()).toEqual(reasons);
  });

  it('explains every header that the service sets, and no other', () => {
    expect(firstCells('docs/message-lifecycle.md', '## Headers').sort()).toEqual(Object.values(HEADERS).sort());
  });

  it('has no relative link that leads nowhere', () => {
    const broken = documents.flatMap(({ path, text }) =>
      [...text.replace(/^```[\s\S]*?^```$/gm, '').matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target]) => target)
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => {
          const [file, fragment] = target.split('#');
          const linked = file === '' ? path : relative(root, join(root, dirname(path), file));
          if (!existsSync(join(root, linked))) return true;
          return fragment !== undefined && !anchorsOf(linked).has(fragment);
        })
        .map((target) => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  it('reaches every document in docs/ from its index', () => {
    const index = read('docs/README.md');
    const unreachable = documents
      .map(({ path }) => relative('docs', path))
      .filter((path) => !path.startsWith('..') && path !== 'README.md' && !index.includes(`(${path}`));
    expect(unreachable).toEqual([]);
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const named = mentions(/\bnpm (?:run (?:-s )?([\w:-]+)|(test|start)\b)/g);
    expect(named.length).toBeGreaterThan(10);
    const unknown = named.filter(({ match }) => !((match[1] ?? match[2]) in scripts));
    expect(unknown.map(({ path, match }) => `${path}: ${match[0]}`)).toEqual([]);
  });

  it('names only flags that the script behind an npm script reads', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    const wrong = mentions(/\bnpm run (?:-s )?([\w:-]+) -- ([^\n#]+)/g).flatMap(({ path, match: [, name, rest] }) => {
      const source = /^node (scripts\/[\w-]+\.mjs)$/.exec(scripts[name] ?? '')?.[1];
      // What the CLI reads is looked at below.
      if (source === undefined || source === 'scripts/cli.mjs') return [];
      const flags = rest.match(/--[a-z-]+/g) ?? [];
      // Written out, or declared for `parseArgs`.
      const reads = (flag: string) =>
        read(source).includes(`'${flag}'`) || new RegExp(`\\b${flag.slice(2)}: \\{ type:`).test(read(source));
      return flags.filter((flag) => !reads(flag)).map((flag) => `${path}: ${name} ${flag}`);
    });
    expect(wrong).toEqual([]);
  });

  it('names only CLI commands and options that exist', () => {
    const calls = mentions(/(?:npm run (?:-s )?(?:cli|(plan|tune)) -- |node dist\/cli\.js )([^\n#`]+)/g);
    expect(calls.length).toBeGreaterThan(3);
    const wrong = calls.filter(({ match: [, name, rest] }) => {
      if (/^(--help|COMMAND)/.test(rest)) return false;
      const { command } = findCommand([...(name ? [name] : []), ...rest.trim().split(/\s+/)]);
      return !command || (rest.match(/--[a-z-]+/g) ?? []).some((option) => !command.usage.includes(option));
    });
    expect(wrong.map(({ path, match }) => `${path}: ${match[0]}`)).toEqual([]);
  });

  it('names only files that exist', () => {
    const named = mentions(/(?<![\w./-])((?:\.\.\/)*(?:src|test|scripts|samples|docs|\.ci|dist)\/[\w./-]*\w)/g);
    const missing = named.filter(({ match: [, name] }) => {
      const path = name.replace(/^(\.\.\/)+/, '');
      // The build's files by their sources.
      return !existsSync(join(root, path.replace(/^dist\/(.*)\.js$/, 'src/$1.ts')));
    });
    expect(missing.map(({ path, match }) => `${path}: ${match[1]}`)).toEqual([]);
  });

  describe('about settings', () => {
    const environment = (paths: string[], pattern: RegExp) =>
      paths.flatMap((path) => [...read(path).matchAll(pattern)].map(([, name]) => name));
    /** What OpenTelemetry's own packages read. */
    const opentelemetry = (...packages: string[]) =>
      packages
        .flatMap((name) => sources(join(root, 'node_modules', '@opentelemetry', name, 'build', 'src')))
        .flatMap((source) => source.replaceAll(/\$\{signalIdentifier\}/g, 'TRACES').match(/\bOTEL_[A-Z_]+/g) ?? []);
    const settings = new Set<string>([
      ...Object.keys(FIELDS),
      ...Object.entries<Field>(FIELDS).flatMap(([name, { secret }]) => (secret ? [`${name}_FILE`] : [])),
      ...environment(filesBelow('deploy', /\.yaml$/), /\bkey: ([A-Z][A-Z0-9_]+)/g),
      ...environment(['docker-compose.yml'], /\$\{([A-Z][A-Z0-9_]+)/g),
      ...environment(filesBelow('deploy', /\.sql$/), /\\getenv \w+ ([A-Z][A-Z0-9_]+)/g),
      ...environment(filesBelow('scripts', /\.mjs$/), /process\.env\.([A-Z][A-Z0-9_]+)/g),
      'NODE_OPTIONS',
      ...environment(['src/config/tracing-settings.ts'], /\b(OTEL_[A-Z_]+)/g),
      ...opentelemetry('sdk-trace-base', 'otlp-exporter-base', 'resources'),
    ]);

    it('gives values only to variables that somebody reads', () => {
      const wrong = mentions(/(?<![\w$])([A-Z][A-Z0-9_]{3,})=/g).filter(({ match: [, name] }) => !settings.has(name));
      expect(wrong.map(({ path, match }) => `${path}: ${match[1]}`)).toEqual([]);
    });

    it('has no name in capitals that neither the settings nor the source know', () => {
      const source = filesBelow('src', /(?<!\.spec)\.ts$/)
        .map(read)
        .join('\n');
      const words = new Set(source.match(/(?<![A-Z0-9_])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![A-Z0-9_])/g));
      const named = mentions(/(?<![\w.-])([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?![\w*])/g);
      expect(named.length).toBeGreaterThan(50);
      const unknown = named.filter(({ match: [, name] }) => !settings.has(name) && !words.has(name));
      expect([...new Set(unknown.map(({ path, match }) => `${path}: ${match[1]}`))]).toEqual([]);
    });
  });
});
