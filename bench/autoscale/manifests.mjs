// @ts-check
/** The numbers of the simulation: those of deploy/kubernetes, with every time and every number of waiting messages divided by one factor. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { checkoutDir } from '../../scripts/services/checkout.mjs';

/**
 * Messages that wait are a rate by a time. So a tenth of the time is a tenth of the messages, and rates stay what they are: CPU, too.
 * With 10, a burst of seven minutes takes 40 s, and the start of a Node process (2 to 4 s here) stands for a pod's of 20 to 40 s.
 */
export const FACTOR = 10;

/** Defaults of the controller manager, `--horizontal-pod-autoscaler-sync-period`, and of the metrics server's resolution, seconds. */
const SYNC_PERIOD = 15;
const METRICS_RESOLUTION = 15;

const manifests = join(checkoutDir, 'deploy', 'kubernetes');

/** @param {number} seconds @returns {number} milliseconds of the simulation */
const time = (seconds) => (seconds * 1_000) / FACTOR;

export const syncPeriod = time(SYNC_PERIOD);
export const metricsResolution = time(METRICS_RESOLUTION);

/** @param {string} path @param {string} kind @returns {any} */
function read(path, kind) {
  const file = join(manifests, path);
  const found = parseAllDocuments(readFileSync(file, 'utf8'))
    .map((document) => document.toJS())
    .find((document) => document?.kind === kind);
  if (!found) throw new Error(`${file}: expected a ${kind}, found none.`);
  return found;
}

/** @param {any} rules @returns {import('./horizontal-pod-autoscaler.cjs').Rules} */
function rulesOf({ stabilizationWindowSeconds, policies, selectPolicy = 'Max' }) {
  return {
    window: time(stabilizationWindowSeconds),
    policies: policies.map((/** @type {any} */ policy) => ({
      type: policy.type,
      value: policy.value,
      period: time(policy.periodSeconds),
    })),
    select: selectPolicy,
  };
}

/** @param {string} quantity as Kubernetes writes one: 500m, 1000, 2k @returns {number} */
function quantityOf(quantity) {
  const [, digits, suffix = ''] = /^(\d+(?:\.\d+)?)([mk]?)$/.exec(quantity) ?? [];
  if (digits === undefined) throw new Error(`Expected a quantity such as 500m, 1000 or 2k, got "${quantity}".`);
  return Number(digits) * { m: 0.001, k: 1_000, '': 1 }[/** @type {'m' | 'k' | ''} */ (suffix)];
}

/** Cores that a worker requests: 100 % of utilization. */
export function requestedCores() {
  const worker = read('base/worker.yaml', 'Deployment');
  return quantityOf(String(worker.spec.template.spec.containers[0].resources.requests.cpu));
}

/** deploy/kubernetes/components/hpa */
export function horizontalPodAutoscaler() {
  const { spec } = read('components/hpa/hpa.yaml', 'HorizontalPodAutoscaler');
  const cpu = spec.metrics.find((/** @type {any} */ metric) => metric.resource?.name === 'cpu');
  const queue = spec.metrics.find((/** @type {any} */ metric) => metric.type === 'External').external;
  return {
    behaviour: {
      minReplicas: spec.minReplicas,
      maxReplicas: spec.maxReplicas,
      up: rulesOf(spec.behavior.scaleUp),
      down: rulesOf(spec.behavior.scaleDown),
    },
    utilization: cpu.resource.target.averageUtilization / 100,
    metric: /** @type {string} */ (queue.metric.name),
    queue: /** @type {string} */ (queue.metric.selector.matchLabels.queue),
    messagesPerReplica: quantityOf(queue.target.averageValue) / FACTOR,
  };
}

/** deploy/kubernetes/components/keda */
export function scaledObject() {
  const { spec } = read('components/keda/scaled-object.yaml', 'ScaledObject');
  const { metadata, type } = spec.triggers[0];
  if (type !== 'rabbitmq' || metadata.mode !== 'QueueLength' || metadata.protocol !== 'http')
    throw new Error(`Expected a trigger rabbitmq over http with QueueLength, got ${JSON.stringify(spec.triggers[0])}.`);
  const { behavior } = spec.advanced.horizontalPodAutoscalerConfig;
  return {
    behaviour: {
      // An HPA has at least one; KEDA itself goes to none.
      minReplicas: Math.max(1, spec.minReplicaCount),
      maxReplicas: spec.maxReplicaCount,
      up: rulesOf(behavior.scaleUp),
      down: rulesOf(behavior.scaleDown),
    },
    pollingInterval: time(spec.pollingInterval),
    queue: /** @type {string} */ (metadata.queueName),
    object: {
      minReplicas: spec.minReplicaCount,
      cooldown: time(spec.cooldownPeriod),
      value: Number(metadata.value) / FACTOR,
      activationValue: Number(metadata.activationValue ?? 0) / FACTOR,
      excludeUnacknowledged: metadata.excludeUnacknowledged === 'true',
      fallback: spec.fallback,
    },
  };
}
