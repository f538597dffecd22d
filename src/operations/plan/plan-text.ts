/** The plan in words: the answer, why, and what to write where. */
import { connectionsNeeded } from '../../config/connection-budget';
import { CLOSE_MARGIN, FIELDS } from '../../config/environment';
import { capacity, memoryOf, poolFor, residenceTime, RESOURCES, type Fleet, type Mix, type Resource } from './capacity';
import { connectionNeeds, rulesOfThumb, type Plan, type PlanInput } from './plan';
import { bytesText, number, table, timeText } from './plan-units';

export function answerLine(plan: Plan, { rate, adapts }: PlanInput): string {
  const { workers, channels, prefetch, concurrency, poolSize } = plan;
  const held = adapts
    ? `up to C ${concurrency} in flight (adaptive)`
    : `C ${concurrency} in flight (K ${channels} channels x P ${prefetch})`;
  return (
    `W ${workers} workers x ${held}, pool ${poolSize} each: ` +
    `room for ${number(plan.capacity.perSecond)}/s where ${number(rate)}/s come. ${sentence(RESOURCES[plan.capacity.binding])} bind${plan.capacity.binding === 'process' ? 's' : ''} first.`
  );
}

/** For the workers' `.env`. An api has a pool of its own, and nothing else of these counts there. */
export function environmentLines(plan: Plan, input: PlanInput): string[] {
  const { connectionBudget, deployment, mix, surge, apis, adapts } = input;
  return [
    `WORKER_REPLICAS=${plan.workers}`,
    ...(adapts
      ? ['CONCURRENCY_MODE=adaptive', `CONCURRENCY_MAX=${plan.concurrency}`]
      : concurrencyLines(mix, plan.concurrency, plan.channels)),
    `DATABASE_POOL_SIZE=${plan.poolSize}`,
    `DATABASE_CONNECTION_BUDGET=${connectionBudget}`,
    `WORKER_SURGE=${surge + plan.draining}`,
    `API_REPLICAS=${apis}`,
    `SHUTDOWN_TIMEOUT=${seconds(deployment.shutdownTimeout)}s`,
    `TERMINATION_GRACE_PERIOD=${seconds(Math.max(deployment.gracePeriod, deployment.shutdownTimeout + CLOSE_MARGIN))}s`,
  ];
}

/**
 * The settings that hold C and K. Messages that wait for others do so in the second lane, beside which the first only passes them on;
 * each analyser has a limit of its own.
 */
export function concurrencyLines({ serviceTime }: Mix, concurrency: number, channels: number): string[] {
  if (serviceTime === 0) return [`MESSAGE_CONCURRENCY_PER_WORKER=${concurrency}`, `RABBITMQ_CHANNELS=${channels}`];
  return [
    `ANALYSIS_CONCURRENCY_PER_WORKER=${concurrency}`,
    `ANALYSIS_CHANNELS=${channels}`,
    ...CALLS_AT_ONCE.filter((name) => concurrency > Number(FIELDS[name].default)).map(
      (name) => `${name}=${concurrency}`,
    ),
  ];
}

const CALLS_AT_ONCE = ['ANALYSIS_LLM_CONCURRENCY', 'MEMORY_API_CONCURRENCY'] as const;

/** The autoscaler's numbers, by the names that HPA and KEDA have for them. */
export function hpaLines(plan: Plan, { targetUtilisation, surge, deployment }: PlanInput): string[] {
  const waiting = plan.queueLengthPerReplica;
  return [
    `minReplicas: ${plan.minReplicas}`,
    `maxReplicas: ${plan.maxReplicas}   # and WORKER_REPLICAS=${plan.maxReplicas}, by which the connections are checked`,
    `maxSurge: ${surge}`,
    `terminationGracePeriodSeconds: ${seconds(deployment.shutdownTimeout + CLOSE_MARGIN)}`,
    `averageValue: ${waiting}   # messages ready, for each replica: more than it does in 10 s`,
    `value: ${waiting + plan.concurrency}   # for KEDA, which counts those in flight as well`,
    `averageUtilization: ${Math.round(100 * targetUtilisation)}   # of a CPU request of one core; of a request of 500m, ${Math.round(200 * targetUtilisation)}`,
  ];
}

function seconds(milliseconds: number): number {
  return Math.ceil(milliseconds / 1_000);
}

export function reasons(plan: Plan, input: PlanInput): string[] {
  const { mix, costs, machine, rate, targetUtilisation: target, connectionBudget, budgetSource } = input;
  const residence = residenceTime(mix, costs);
  const cpu = mix.cpuTime + costs.workerCpu;
  const connections = connectionsNeeded(connectionNeeds(plan, input));
  const processes = plan.maxReplicas + input.surge + plan.draining;
  const room = (Object.keys(plan.ceilings) as Resource[]).map((name) => [
    RESOURCES[name],
    `${number(plan.ceilings[name])}/s`,
  ]);
  return [
    `Little's law: ${number(rate)}/s x ${timeText(residence)} = ${number(plan.inFlight)} in flight; at ${number(100 * target)} % of the slots, ${number(plan.inFlight / target)}.`,
    `  ${timeText(residence)} = ${timeText(mix.serviceTime)} service + ${timeText(cpu)} CPU + ${timeText(costs.connectionTime)} database.`,
    `Utilisation law: ${number(rate)}/s x ${timeText(cpu)} = ${number((rate * cpu) / 1_000)} cores busy in workers; one thread each, at ${number(100 * target)} %: ${plan.workers} workers.`,
    `Memory: ${plan.workers} x (${bytesText(costs.processMemory)} + ${plan.concurrency} x ${bytesText(costs.messageMemory)}) = ${bytesText(plan.memory)}; ${bytesText(plan.peakMemory)}${input.memory === undefined ? '' : ` of ${bytesText(input.memory)}`} for the ${processes} at the worst moment of a rollout.`,
    ...(mix.serviceTime > 0
      ? [
          'Lane: what waits for external services does so in the second lane, so its C is ANALYSIS_CONCURRENCY_PER_WORKER.',
        ]
      : []),
    `Pool: a message holds a connection for ${timeText(costs.connectionTime)} of its ${timeText(residence)}, so ${number((rate * costs.connectionTime) / 1_000 / plan.workers)} are in use in a worker on average; ${plan.poolSize} leave few waits.`,
    `Connections at the worst moment of a rollout: ${connections} of ${connectionBudget} (${budgetSource}), with ${plan.maxReplicas} replicas, ${input.surge} surge, ${plan.draining} draining, and ${input.apis} api with a pool of ${input.apiPoolSize}.`,
    `Room before each resource gives out${machine.shared ? ' (PostgreSQL and RabbitMQ on the same cores)' : ''}:`,
    ...table(room).map((line) => `  ${line}`),
  ];
}

/** What the rules would do on the same figures. */
export function comparison(plan: Plan, input: PlanInput): string[] {
  const { mix, machine, costs, rate } = input;
  const row = (name: string, fleet: Fleet) => {
    const { perSecond, binding } = capacity(fleet, mix, machine, costs);
    return [
      name,
      `${fleet.workers} x ${fleet.concurrency}`,
      number(fleet.workers * fleet.concurrency),
      `${number(perSecond)}/s`,
      perSecond >= rate ? 'yes' : 'no',
      bytesText(memoryOf(fleet, costs)),
      RESOURCES[binding],
    ];
  };
  return table([
    ['rule', 'W x C', 'in flight', 'room for', 'enough', 'memory', 'binds first'],
    row('this plan', plan),
    ...rulesOfThumb(machine.cores).map(({ rule, ...rest }) =>
      row(rule, { ...rest, poolSize: poolFor(rate / rest.workers, rest.concurrency, costs) }),
    ),
  ]);
}

function sentence(words: string): string {
  return words[0].toUpperCase() + words.slice(1);
}
