import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';
import { connectionBudgetProblem } from '../../src/config/connection-budget';
import { FIELDS, readEnvironment, type Environment } from '../../src/config/environment';
import { debianProgram, INSTALLATION } from '../support/debian-program';
import { createNamespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';

const ROOT = join(__dirname, '..', '..');
const KUBERNETES = join(ROOT, 'deploy', 'kubernetes');

const OVERLAYS = ['dev', 'prod'];
const AUTOSCALERS = ['none', 'hpa', 'keda'] as const;
const COMBINATIONS = OVERLAYS.flatMap((overlay) => AUTOSCALERS.map((autoscaler) => ({ overlay, autoscaler })));

/** A manifest as YAML gives it. Its shape is what the strict types are for. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
type Manifest = Record<string, any> & { readonly apiVersion: string; readonly kind: string };

/** What a test puts where a cluster has a Secret. */
const SECRETS: Readonly<Record<string, string>> = {
  DATABASE_URL: 'postgresql://role:password@postgres/friendship',
  RABBITMQ_URL: 'amqps://role:password@rabbitmq',
  API_KEYS: 'a-key-of-some-length',
  OPERATOR_KEY: 'a-key-of-the-operators',
  ERASURE_KEY: 'e'.repeat(32),
};

/** Long enough for what is closed after SHUTDOWN_TIMEOUT, milliseconds; see src/main.ts. */
const CLOSE_MARGIN = 4_000;

describe('the manifests for Kubernetes', () => {
  const rendered = new Map<string, Manifest[]>();
  let folder: string;

  beforeAll(async () => {
    const kubectl = await debianProgram('kubectl');
    folder = mkdtempSync(join(ROOT, '.local', 'kubernetes-'));
    for (const { overlay, autoscaler } of COMBINATIONS) {
      const place = mkdtempSync(join(folder, 'combination-'));
      const path = (...parts: string[]) => relative(place, join(KUBERNETES, ...parts));
      const kustomization = {
        apiVersion: 'kustomize.config.k8s.io/v1beta1',
        kind: 'Kustomization',
        resources: [path('overlays', overlay)],
        ...(autoscaler === 'none' ? {} : { components: [path('components', autoscaler)] }),
      };
      writeFileSync(join(place, 'kustomization.yaml'), JSON.stringify(kustomization));
      const { stdout } = await promisify(execFile)(kubectl, ['kustomize', place]);
      const manifests = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
      rendered.set(`${overlay} ${autoscaler}`, manifests);
    }
  }, INSTALLATION);
  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await stopAll();
  });

  const of = (combination: { overlay: string; autoscaler: string }) =>
    rendered.get(`${combination.overlay} ${combination.autoscaler}`)!;
  const find = (manifests: readonly Manifest[], kind: string, name: string) =>
    manifests.find((manifest) => manifest.kind === kind && manifest.metadata.name === name);
  const deployments = (manifests: readonly Manifest[]) => manifests.filter(({ kind }) => kind === 'Deployment');
  const pods = (manifests: readonly Manifest[]): Manifest[] =>
    manifests.filter(({ kind }) => kind === 'Deployment' || kind === 'Job').map(({ spec }) => spec.template.spec);

  /** The variables that a container gets, with what stands for its secrets. */
  function variables(manifests: readonly Manifest[], container: Manifest): Record<string, string> {
    const fromMaps = (container.envFrom as { configMapRef: { name: string } }[]).map(({ configMapRef: { name } }) => {
      const map = find(manifests, 'ConfigMap', name);
      if (!map) throw new Error(`there is no ConfigMap ${name}`);
      return map.data as Record<string, string>;
    });
    const own = (container.env as Manifest[]).map(({ name, value, valueFrom }) => [
      name,
      valueFrom === undefined ? value : SECRETS[valueFrom.secretKeyRef.key],
    ]);
    return Object.assign({}, ...fromMaps, Object.fromEntries(own)) as Record<string, string>;
  }

  const environmentOf = (manifests: readonly Manifest[], deployment: Manifest): Environment =>
    readEnvironment(variables(manifests, deployment.spec.template.spec.containers[0]));

  it('have the types that Kubernetes and KEDA give them, in every combination', () => {
    const lines = ['/* eslint-disable */'];
    const imported = new Map<string, string>();
    for (const manifest of [...rendered.values()].flat()) {
      const keda = manifest.apiVersion.startsWith('keda.sh/');
      const module = `${keda ? '@kubernetes-models/keda' : 'kubernetes-models'}/${manifest.apiVersion}/${manifest.kind}`;
      if (!imported.has(module)) {
        const alias = `T${imported.size}`;
        imported.set(module, alias);
        lines.splice(1, 0, `import type { I${manifest.kind} as ${alias} } from '${module}';`);
      }
      lines.push(`({ value: ${JSON.stringify(manifest)} }) satisfies { value: ${imported.get(module)!} };`);
    }
    const file = join(folder, 'manifests.ts');
    writeFileSync(file, lines.join('\n'));
    const program = ts.createProgram([file], {
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      module: ts.ModuleKind.Node16,
      moduleResolution: ts.ModuleResolutionKind.Node16,
      target: ts.ScriptTarget.ES2022,
      types: [],
    });
    const problems = ts
      .getPreEmitDiagnostics(program)
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, '\n'));
    expect(problems).toEqual([]);
  });

  describe.each(COMBINATIONS)('of $overlay with autoscaler: $autoscaler', (combination) => {
    it('give every process settings that it starts with, and no name that it does not know', () => {
      const manifests = of(combination);
      for (const pod of pods(manifests)) {
        const given = variables(manifests, pod.containers[0]);
        expect(Object.keys(FIELDS)).toEqual(expect.arrayContaining(Object.keys(given)));
        expect(() => readEnvironment(given)).not.toThrow();
      }
    });

    it('name secrets by the names of settings that are secret', () => {
      const references = pods(of(combination)).flatMap((pod) =>
        (pod.containers[0].env as Manifest[]).flatMap(({ name, valueFrom }) =>
          valueFrom ? [{ name, key: valueFrom.secretKeyRef.key as string }] : [],
        ),
      );
      expect(references.length).toBeGreaterThan(5);
      for (const { name, key } of references) {
        expect(key).toBe(name);
        expect(FIELDS[name as keyof typeof FIELDS]).toMatchObject({ secret: true });
      }
    });

    it('stay within the connections of PostgreSQL at the worst moment', () => {
      const manifests = of(combination);
      const worker = find(manifests, 'Deployment', 'friendship-worker')!;
      const api = find(manifests, 'Deployment', 'friendship-api')!;
      const autoscaler = manifests.find(({ kind }) => kind === 'HorizontalPodAutoscaler' || kind === 'ScaledObject');
      const workers: number = autoscaler?.spec.maxReplicas ?? autoscaler?.spec.maxReplicaCount ?? worker.spec.replicas;
      const surge: number = worker.spec.strategy.rollingUpdate.maxSurge;
      const needs = {
        workers,
        surge,
        // Old ones drain while the next are started: two steps of a rollout at once.
        draining: 2 * surge,
        workerPoolSize: environmentOf(manifests, worker).DATABASE_POOL_SIZE,
        apis: Number(api.spec.replicas) + Number(api.spec.strategy.rollingUpdate.maxSurge),
        apiPoolSize: environmentOf(manifests, api).DATABASE_POOL_SIZE,
      };
      const budget = Number(worker.metadata.annotations['friendship-service/database-connections']);
      expect(connectionBudgetProblem(needs, budget, 'the annotation')).toBeUndefined();
    });

    it('set no number of replicas where an autoscaler rules', () => {
      const { replicas } = find(of(combination), 'Deployment', 'friendship-worker')!.spec;
      expect(replicas === undefined).toBe(combination.autoscaler !== 'none');
    });

    it('leave every process the time to drain', () => {
      const manifests = of(combination);
      for (const deployment of deployments(manifests)) {
        const { terminationGracePeriodSeconds, containers } = deployment.spec.template.spec;
        const pause = Number(containers[0].lifecycle?.preStop.exec.command[1] ?? 0) * 1000;
        const needed = pause + environmentOf(manifests, deployment).SHUTDOWN_TIMEOUT + CLOSE_MARGIN;
        expect(terminationGracePeriodSeconds * 1000).toBeGreaterThan(needed);
      }
    });

    it('reach the port on which the process listens, by its name', () => {
      const manifests = of(combination);
      for (const deployment of deployments(manifests)) {
        const [container] = deployment.spec.template.spec.containers;
        expect(container.ports).toEqual([{ name: 'http', containerPort: environmentOf(manifests, deployment).PORT }]);
        const service = find(manifests, 'Service', deployment.metadata.name)!;
        expect(service.spec.ports[0].targetPort).toBe('http');
        expect(deployment.spec.template.metadata.labels).toMatchObject(service.spec.selector);
        expect(deployment.spec.template.metadata.labels).toMatchObject(deployment.spec.selector.matchLabels);
      }
    });

    it('let no process be root, write to its image, or talk to Kubernetes', () => {
      for (const pod of pods(of(combination))) {
        expect(pod).toMatchObject({
          automountServiceAccountToken: false,
          serviceAccountName: 'friendship-service',
          securityContext: { runAsNonRoot: true, runAsUser: 10001, seccompProfile: { type: 'RuntimeDefault' } },
        });
        for (const container of pod.containers) {
          expect(container.securityContext).toEqual({
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          });
          expect(container.resources).toMatchObject({
            requests: { cpu: expect.any(String) },
            limits: { memory: expect.any(String) },
          });
        }
      }
    });
  });

  it('probe paths that every role answers', async () => {
    const probes = [...rendered.values()]
      .flat()
      .flatMap((manifest) =>
        manifest.kind === 'Deployment'
          ? ['startupProbe', 'livenessProbe', 'readinessProbe'].map(
              (probe): string => manifest.spec.template.spec.containers[0][probe].httpGet.path,
            )
          : [],
      );
    const namespace = await createNamespace();
    for (const role of ['api', 'worker'] as const) {
      const service = await (await ServiceProcess.start(role, namespace.variables)).ready();
      for (const path of new Set(probes)) expect((await service.get(path)).status).toBe(200);
    }
    await stopAll();
    await namespace.remove();
  });

  it('name the queue that the service declares', () => {
    const { RABBITMQ_QUEUE } = FIELDS;
    const hpa = find(of({ overlay: 'prod', autoscaler: 'hpa' }), 'HorizontalPodAutoscaler', 'friendship-worker')!;
    const keda = find(of({ overlay: 'prod', autoscaler: 'keda' }), 'ScaledObject', 'friendship-worker')!;
    expect(hpa.spec.metrics[1].external.metric.selector.matchLabels.queue).toBe(RABBITMQ_QUEUE.default);
    expect(keda.spec.triggers[0].metadata.queueName).toBe(RABBITMQ_QUEUE.default);
  });

  it('are all reached by a test: no overlay and no component was forgotten', () => {
    expect(readdirSync(join(KUBERNETES, 'overlays')).sort()).toEqual([...OVERLAYS].sort());
    expect(['none', ...readdirSync(join(KUBERNETES, 'components'))].sort()).toEqual([...AUTOSCALERS].sort());
  });
});
