/** The plan in words: the answer, why, and what to write where. */
import { connectionsNeeded } from '../../config/connection-budget';
import { capacity, memoryOf, poolFor, residenceTime, RESOURCES, type Fleet, type Resource } from './capacity';
import { rulesOfThumb, type Plan, type PlanInput } from './plan';
import { CLOSE_MARGIN } from './plan-problems';
import { bytesText, number, table, timeText } from './plan-units';

export function answerLine(plan: Plan, { rate }: PlanInput): string {
  const { workers, channels, prefetch, concurrency, poolSize } = plan;
  return (
    `W ${workers} workers x C ${concurrency} in flight (K ${channels} channels x P ${prefetch}), pool ${poolSize} each: ` +
    `room for ${number(plan.capacity.perSecond)}/s where ${number(rate)}/s come. ${sentence(RESOURCES[plan.capacity.binding])} bind${plan.capacity.binding === 'process' ? 's' : ''} first.`
  );
}

export function environmentLines(plan: Plan, { connectionBudget, deployment }: PlanInput): string[] {
  return [
    `WORKER_REPLICAS=${plan.workers}`,
    `MESSAGE_CONCURRENCY_PER_WORKER=${plan.concurrency}`,
    `RABBITMQ_CHANNELS=${plan.channels}`,
    `DATABASE_POOL_SIZE=${plan.poolSize}`,
    `DATABASE_CONNECTION_BUDGET=${connectionBudget}`,
    `SHUTDOWN_TIMEOUT=${Math.ceil(deployment.shutdownTimeout / 1_000)}s`,
  ];
}

export function hpaLines(plan: Plan, { targetUtilisation, surge, deployment }: PlanInput): string[] {
  return [
    `minReplicas: ${plan.minReplicas}`,
    `maxReplicas: ${plan.maxReplicas}`,
    `maxSurge: ${surge}`,
    `terminationGracePeriodSeconds: ${Math.ceil((deployment.shutdownTimeout + CLOSE_MARGIN) / 1_000)}`,
    `queue length for each replica: ${plan.queueLengthPerReplica}   # more is waiting than it does in 10 s`,
    `CPU utilisation: ${Math.round(100 * targetUtilisation)}   # of one core`,
  ];
}

export function reasons(plan: Plan, input: PlanInput): string[] {
  const { mix, costs, machine, rate, targetUtilisation: target, connectionBudget, budgetSource } = input;
  const residence = residenceTime(mix, costs);
  const cpu = mix.cpuTime + costs.workerCpu;
  const connections = connectionsNeeded({
    workers: plan.maxReplicas,
    surge: input.surge,
    draining: plan.draining,
    workerPoolSize: plan.poolSize,
    apis: input.apis,
    apiPoolSize: input.apiPoolSize,
  });
  const room = (Object.keys(plan.ceilings) as Resource[]).map((name) => [
    RESOURCES[name],
    `${number(plan.ceilings[name])}/s`,
  ]);
  return [
    `Little's law: ${number(rate)}/s x ${timeText(residence)} = ${number(plan.inFlight)} in flight; at ${number(100 * target)} % of the slots, ${number(plan.inFlight / target)}.`,
    `  ${timeText(residence)} = ${timeText(mix.serviceTime)} service + ${timeText(cpu)} CPU + ${timeText(costs.connectionTime)} database.`,
    `Utilisation law: ${number(rate)}/s x ${timeText(cpu)} = ${number((rate * cpu) / 1_000)} cores busy in workers; one thread each, at ${number(100 * target)} %: ${plan.workers} workers.`,
    `Memory: ${plan.workers} x (${bytesText(costs.processMemory)} + ${plan.concurrency} x ${bytesText(costs.messageMemory)}) = ${bytesText(plan.memory)}${input.memory === undefined ? '' : ` of ${bytesText(input.memory)}`}.`,
    `Connections at the worst moment of a rollout: ${connections} of ${connectionBudget} (${budgetSource}), with ${plan.maxReplicas} replicas, ${input.surge} surge, ${plan.draining} draining.`,
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
