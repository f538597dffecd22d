/** What makes a plan a bad one. Each message says what was expected, what came, and what to change. */
import { connectionBudgetProblem } from '../../config/connection-budget';
import { CLOSE_MARGIN, FIELDS } from '../../config/environment';
import { capacity, cpuPerMessage, residenceTime } from './capacity';
import type { PlanRequest } from './plan-options';
import { environmentLines } from './plan-text';
import { bytesText, number, timeText } from './plan-units';
import { connectionNeeds, type Deployment, type Plan, type PlanInput } from './plan';

/** A message that kills its worker is parsed for the last time at its fifth delivery; the broker's limit must lie beyond. */
const CRASHING_DELIVERIES = 5;

/** Work that a worker may hold while a new replica stands idle beside it, milliseconds; or twice its residence, if that is longer. */
const TOLERABLE_HOARD = 5_000;

/** @returns every problem of the plan; empty when it can be run */
export function planProblems(plan: Plan, input: PlanInput): string[] {
  return [
    coresProblem(input),
    rateProblem(plan, input),
    replicasProblem(plan),
    memoryProblem(plan, input),
    connectionsProblem(plan, input),
    input.adapts ? undefined : hoardProblem(plan, input),
    channelsProblem(plan),
    ...linesProblems(environmentLines(plan, input)),
    ...deploymentProblems(input.deployment),
  ].filter((problem) => problem !== undefined);
}

function coresProblem({ rate, mix, machine, costs, targetUtilisation: target }: PlanInput): string | undefined {
  const needed = (rate * cpuPerMessage(mix, machine, costs)) / 1_000 / target;
  if (needed <= machine.cores) return undefined;
  const most = (1_000 * machine.cores * target) / cpuPerMessage(mix, machine, costs);
  return (
    `cores: expected at least ${number(needed)} for ${number(rate)}/s at ${number(100 * target)} % utilisation, got ${number(machine.cores)}: ` +
    `add cores, make a message cost less CPU, or plan for at most ${number(most)}/s`
  );
}

function rateProblem(plan: Plan, { rate, adapts }: PlanInput): string | undefined {
  const { perSecond, binding } = plan.capacity;
  if (perSecond >= rate || binding === 'cores') return undefined;
  const remedy = {
    slots: `raise ${adapts ? 'CONCURRENCY_MAX' : 'C'} to ${Math.ceil((plan.concurrency * rate) / perSecond)}, or W to ${Math.ceil((plan.workers * rate) / perSecond)}`,
    process: `raise W to ${Math.ceil((plan.workers * rate) / perSecond)}`,
    pool: `raise DATABASE_POOL_SIZE to ${Math.ceil((plan.poolSize * rate) / perSecond)}`,
  }[binding];
  const asked = { slots: 'in flight', process: 'workers', pool: 'pool' }[binding];
  return `${asked}: expected room for ${number(rate)}/s, got room for ${number(perSecond)}/s from W ${plan.workers} x C ${plan.concurrency}, pool ${plan.poolSize}: ${remedy}`;
}

function replicasProblem({ workers, maxReplicas }: Plan): string | undefined {
  if (workers <= maxReplicas) return undefined;
  return `max replicas: expected at least the ${workers} workers that the rate needs, got ${maxReplicas}: raise --max-replicas, or plan for a lower rate`;
}

function memoryProblem(plan: Plan, { memory, costs, surge }: PlanInput): string | undefined {
  if (memory === undefined || plan.peakMemory <= memory) return undefined;
  const { maxReplicas, draining, concurrency } = plan;
  const processes = maxReplicas + surge + draining;
  const affordable = Math.floor(memory / (plan.peakMemory / processes)) - surge - draining;
  return (
    `memory: expected at most ${bytesText(memory)} for all workers, got ${bytesText(plan.peakMemory)} = ` +
    `(${maxReplicas} replicas + ${surge} surge + ${draining} draining) x (${bytesText(costs.processMemory)} + ${concurrency} x ${bytesText(costs.messageMemory)}): ` +
    `${affordable > 0 ? `lower W and --max-replicas to ${affordable} and raise C instead, or ` : ''}add memory`
  );
}

/** The checks that need no rate. */
export function settingsProblems({ deployment, connections }: PlanRequest): string[] {
  const problem = connections && connectionBudgetProblem(connections.needs, connections.budget, connections.source);
  return [...(problem ? [`connections: ${problem}`] : []), ...deploymentProblems(deployment)];
}

function connectionsProblem(plan: Plan, input: PlanInput): string | undefined {
  const problem = connectionBudgetProblem(connectionNeeds(plan, input), input.connectionBudget, input.budgetSource);
  return problem && `connections: ${problem}`;
}

/** What a worker has taken cannot go to a new replica: it must be no more than it works on anyway. */
function hoardProblem(plan: Plan, { mix, machine, costs }: PlanInput): string | undefined {
  const each = capacity({ ...plan, workers: 1 }, mix, { ...machine, cores: Math.max(1, machine.cores) }, costs);
  const held = (1_000 * plan.concurrency) / each.perSecond;
  const tolerable = Math.max(TOLERABLE_HOARD, 2 * residenceTime(mix, costs));
  if (held <= tolerable) return undefined;
  const most = Math.max(1, Math.floor((each.perSecond * tolerable) / 1_000));
  return (
    `prefetch: expected a worker to hold at most ${timeText(tolerable)} of work, got ${timeText(held)} from C ${plan.concurrency} at ${number(each.perSecond)}/s: ` +
    `a new replica would stand idle beside it; lower C to ${most}, and raise W instead`
  );
}

function channelsProblem({ concurrency, channels }: Plan): string | undefined {
  if (concurrency % channels === 0) return undefined;
  return `channels: expected C to be a multiple of K, so that every channel gets the same prefetch, got C ${concurrency} and K ${channels}: set C to ${Math.ceil(concurrency / channels) * channels}`;
}

/** What the service itself would refuse at its start. */
function linesProblems(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const [name, value] = line.split('=') as [keyof typeof FIELDS, string];
    const { parser } = FIELDS[name];
    try {
      parser.parse(value);
      return [];
    } catch {
      return [
        `${name}: expected ${parser.expected}, which is what the service takes, got ${value}: plan for shorter messages or a lower rate`,
      ];
    }
  });
}

/** The rules about time and attempts, which hold whatever the rate is. */
function deploymentProblems(deployment: Deployment): string[] {
  const { gracePeriod, shutdownTimeout, longestMessage, longestHold, consumerTimeout, deliveryLimit, attempts } =
    deployment;
  const problems: string[] = [];
  if (longestMessage < deployment.meanMessage) {
    problems.push(
      `longest message: expected at least the mean time of a message, ${timeText(deployment.meanMessage)}, got ${timeText(longestMessage)}: raise --longest-message`,
    );
  }
  if (gracePeriod < shutdownTimeout + CLOSE_MARGIN) {
    problems.push(
      `grace period: expected at least SHUTDOWN_TIMEOUT ${timeText(shutdownTimeout)} + ${timeText(CLOSE_MARGIN)} to close, got ${timeText(gracePeriod)}: ` +
        `raise the grace period to ${timeText(shutdownTimeout + CLOSE_MARGIN)}, or lower SHUTDOWN_TIMEOUT`,
    );
  }
  if (shutdownTimeout < longestMessage) {
    problems.push(
      `shutdown: expected SHUTDOWN_TIMEOUT to be at least the longest message, ${timeText(longestMessage)}, got ${timeText(shutdownTimeout)}: ` +
        `raise SHUTDOWN_TIMEOUT to ${timeText(longestMessage)} and the grace period to ${timeText(longestMessage + CLOSE_MARGIN)}, or what is cut off is worked on twice`,
    );
  }
  const unacknowledged = longestMessage + longestHold;
  if (consumerTimeout <= unacknowledged) {
    problems.push(
      `consumer time-out: expected RabbitMQ's consumer_timeout to be above the longest message and the ${timeText(longestHold)} for which it is held while PostgreSQL is away, ` +
        `${timeText(unacknowledged)}, got ${timeText(consumerTimeout)}: raise it, or the broker closes the channel and delivers again`,
    );
  }
  const deliveries = Math.max(attempts, CRASHING_DELIVERIES + 1);
  if (deliveryLimit < deliveries) {
    problems.push(
      `delivery limit: expected the broker's limit to be at least ${deliveries}, for ${attempts} attempts and for a message that kills its worker ${CRASHING_DELIVERIES} times, got ${deliveryLimit}: ` +
        'raise the limit in the policy, or shorten RETRY_DELAYS',
    );
  }
  return problems;
}
