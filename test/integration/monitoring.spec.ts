import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse, stringify } from 'yaml';
import { METRICS } from '../../src/observability/metrics';
import { conversation } from '../support/conversations';
import { debianProgram, INSTALLATION } from '../support/debian-program';
import { startExtraBroker, type ExtraBroker } from '../support/extra-broker';
import { freePort } from '../support/free-port';
import { createNamespace, type Namespace } from '../support/namespace';
import { runCli } from '../support/run-cli';
import { ServiceProcess, stopAll } from '../support/service-process';
import { until } from '../support/until';

const DEPLOY = join(__dirname, '..', '..', 'deploy');

/** Only a service with external calls, or a cluster with an autoscaler, has these. */
const NOT_IN_THIS_RUN = /friendship_external_|friendship_breaker_|friendship_commit_group|kube_/;

/** Panels that are empty when all is well. */
const NOT_ALWAYS = new Set(['Time to drain', 'Publishing that failed']);

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly targets?: readonly { readonly expr: string }[];
}

function dashboardExpressions(): { title: string; expr: string }[] {
  const { panels } = JSON.parse(
    readFileSync(join(DEPLOY, 'grafana', 'dashboards', 'friendship-service.json'), 'utf8'),
  ) as { panels: readonly Panel[] };
  return panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
}

function alertExpressions(): { title: string; expr: string }[] {
  const { groups } = parse(readFileSync(join(DEPLOY, 'prometheus', 'alerts.yml'), 'utf8')) as {
    groups: { rules: { alert: string; expr: string }[] }[];
  };
  return groups.flatMap(({ rules }) => rules.map(({ alert, expr }) => ({ title: alert, expr })));
}

/** Every metric that an expression names; two labels begin like some of them. */
function metricsIn(expr: string): string[] {
  const words = expr.match(/\b(?:friendship|messaging|http_server|rabbitmq|nodejs|process|kube)_\w+\b/g) ?? [];
  return words.filter((word) => word !== 'messaging_destination_name' && word !== 'messaging_operation_name');
}

describe('monitoring', () => {
  it.each([
    ['the configuration', ['check', 'config', 'prometheus.yml']],
    ['the alert rules', ['check', 'rules', 'alerts.yml']],
    ['what each alert does', ['test', 'rules', 'alerts.test.yml']],
  ])(
    'promtool agrees with %s',
    async (_what, args) => {
      const promtool = await debianProgram('promtool');
      await promisify(execFile)(promtool, args, { cwd: join(DEPLOY, 'prometheus') });
    },
    INSTALLATION,
  );

  it('has a test for every alert, and a place in the runbook', () => {
    const tests = readFileSync(join(DEPLOY, 'prometheus', 'alerts.test.yml'), 'utf8');
    const rules = readFileSync(join(DEPLOY, 'prometheus', 'alerts.yml'), 'utf8');
    for (const { title } of alertExpressions()) expect(tests).toContain(`alertname: ${title}`);
    const runbook = readFileSync(join(DEPLOY, '..', 'docs', 'runbook.md'), 'utf8');
    const anchors = [...runbook.matchAll(/^##+ (.+)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\w -]/g, '')
        .replaceAll(' ', '-'),
    );
    for (const [, anchor] of rules.matchAll(/runbook: docs\/runbook\.md#(\S+)/g)) expect(anchors).toContain(anchor);
  });

  describe('on a real run', () => {
    let namespace: Namespace;
    let broker: ExtraBroker;
    let prometheus: ChildProcess;
    let url: string;
    const folder = mkdtempSync(join(tmpdir(), 'friendship-prometheus-'));

    beforeAll(async () => {
      const program = await debianProgram('prometheus');
      broker = await startExtraBroker({
        plugins: ['rabbitmq_prometheus'],
        settings: ['prometheus.tcp.port = {port}', 'prometheus.tcp.ip = 127.0.0.1'],
      });
      namespace = await createNamespace({
        RABBITMQ_URL: broker.url,
        // The names that the rules and the dashboard know.
        RABBITMQ_QUEUE: 'conversation_events_processing',
      });
      const [api, worker] = await Promise.all([
        ServiceProcess.start('api', namespace.variables),
        ServiceProcess.start('worker', namespace.variables),
      ]);
      await Promise.all([api.ready(), worker.ready()]);

      const config = parse(readFileSync(join(DEPLOY, 'prometheus', 'prometheus.yml'), 'utf8')) as {
        global: object;
        scrape_configs: Record<string, unknown>[];
      };
      config.global = { scrape_interval: '500ms', evaluation_interval: '500ms' };
      const targets = [[api.url, worker.url].map((each) => new URL(each).host), [`127.0.0.1:${broker.port}`]];
      config.scrape_configs = config.scrape_configs.map(({ dns_sd_configs: _, ...job }, index) => ({
        ...job,
        static_configs: [{ targets: targets[index] }],
      }));
      for (const name of ['alerts.yml'])
        writeFileSync(join(folder, name), readFileSync(join(DEPLOY, 'prometheus', name)));
      writeFileSync(join(folder, 'prometheus.yml'), stringify(config));
      url = `http://127.0.0.1:${await freePort()}`;
      prometheus = spawn(
        program,
        [
          `--config.file=${join(folder, 'prometheus.yml')}`,
          `--storage.tsdb.path=${join(folder, 'data')}`,
          `--web.listen-address=${new URL(url).host}`,
        ],
        { stdio: 'ignore' },
      );
      await until(
        'every target to be scraped',
        async () => (await query('sum(up)').catch(() => []))[0]?.value[1] === '3',
        30,
      );
      await runCli(namespace.variables, 'audit');
      const posted = Array.from({ length: 20 }, () => conversation());
      for (const each of posted) await api.post('/v1/conversations/end', each);
      await api.post('/v1/conversations/end', posted[0]);
      await namespace.broker.send({ conversation_id: posted[0].conversation_id });
      await namespace.broker.send({ conversation_id: 'nobody-posted-this' });
    }, INSTALLATION);

    afterAll(async () => {
      prometheus.kill('SIGTERM');
      await Promise.all([once(prometheus, 'close'), stopAll()]);
      await namespace.remove();
      await broker.stop();
      rmSync(folder, { recursive: true, force: true });
    });

    async function query(expr: string): Promise<{ value: [number, string] }[]> {
      const response = await fetch(`${url}/api/v1/query?query=${encodeURIComponent(expr)}`);
      const { status, data, error } = (await response.json()) as {
        status: string;
        error?: string;
        data?: { result: { value: [number, string] }[] };
      };
      if (status !== 'success') throw new Error(`${expr}: ${error}`);
      return data!.result;
    }

    it('every metric that an alert or a panel names is there', async () => {
      const named = new Set([...dashboardExpressions(), ...alertExpressions()].flatMap(({ expr }) => metricsIn(expr)));
      expect(named.size).toBeGreaterThan(30);
      const ours = Object.values(METRICS).map(({ name }) => name);
      for (const name of named) {
        if (name.startsWith('kube_')) continue;
        if (NOT_IN_THIS_RUN.test(name)) expect(ours).toContain(name.replace(/_(bucket|sum|count)$/, ''));
        else await until(`${name} to be scraped`, async () => (await query(name)).length > 0);
      }
    });

    it.each(dashboardExpressions().map(({ title, expr }) => [title, expr] as const))(
      'the panel "%s" shows something: %s',
      async (title, expr) => {
        const present = expr.replaceAll('$__rate_interval', '1m');
        if (NOT_IN_THIS_RUN.test(expr) || NOT_ALWAYS.has(title)) expect(await query(present)).toBeDefined();
        else await until(`${present} to have a value`, async () => (await query(present)).length > 0, 30);
      },
    );
  });
});
