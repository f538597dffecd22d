import { Inject, Injectable, Logger } from '@nestjs/common';
import { TOPOLOGY } from './tokens';
import { laneServing, type Topology } from './topology';

/** The broker's words for the first property that differs; it names one at a time. Its `received` is what we declare. */
const VALUE = String.raw`(none|(?:the value )?'.*?')(?: of type '\w+')?`;
const DIFFERENCE = new RegExp(
  String.raw`inequivalent arg '([^']+)' for (?:queue|exchange) .* in vhost .*: received ${VALUE} but current is ${VALUE}"?$`,
);

/**
 * What stands in the way of a declaration, and what to do about it.
 * @param what for example `queue conversation_events_processing`
 * @param error what the broker answered
 * @param settings what to change to use another name instead
 * @returns undefined for anything but a refusal that lasts: 403, 405 and 406 of AMQP
 */
export function describeRefusal(what: string, error: unknown, settings: string): string | undefined {
  const { code, message = '' } = (error ?? {}) as { code?: unknown; message?: string };
  if (code === 403) {
    return `the broker's user may not declare ${what}: it needs configure, write and read on this service's queues and exchange (rabbitmqctl set_permissions).`;
  }
  if (code !== 405 && code !== 406) return undefined;
  const difference = code === 405 ? `: exclusive: expected 'false', got 'true'` : propertyThatDiffers(message);
  return (
    `${what} exists with other properties than this service declares${difference}. ` +
    'Properties cannot be changed (an older setup has a classic queue, with none of ours). ' +
    'Stop its publishers and consumers, let it run empty, delete it, and the service goes on by itself; ' +
    `or set ${settings} to new names.`
  );
}

function propertyThatDiffers(message: string): string {
  const [, name, ours, theirs] = DIFFERENCE.exec(message) ?? [];
  if (name === undefined) return '';
  return `: ${name}: expected ${ours.replace(/^the value /, '')}, got ${theirs.replace(/^the value /, '')}`;
}

/** Remembers that a queue or exchange cannot be declared, and says what to do about it. */
@Injectable()
export class TopologyReport {
  private readonly logger = new Logger('RabbitMQ');
  private current: string | undefined;

  constructor(@Inject(TOPOLOGY) private readonly topology: Topology) {}

  get problem(): string | undefined {
    return this.current;
  }

  /** @param error what the broker answered; passing trouble, such as a lost connection, is not reported */
  refused(kind: 'queue' | 'exchange', name: string, error: unknown): void {
    const problem = describeRefusal(`${kind} ${name}`, error, this.settingsOf(kind, name));
    if (problem === undefined) return;
    if (problem !== this.current) this.logger.error({ msg: problem });
    this.current = problem;
  }

  /** Everything could be declared. */
  accepted(): void {
    this.current = undefined;
  }

  /** A queue of the old name would stay bound to the old exchange and fill up: both change together. */
  private settingsOf(kind: 'queue' | 'exchange', name: string): string {
    if (kind === 'exchange') return 'RABBITMQ_EXCHANGE';
    const ofAnalysis = this.topology.analysis?.retryQueues.some((queue) => queue.name === name);
    const lane = ofAnalysis ? 'analysis' : laneServing(this.topology, name);
    return `${lane === 'analysis' ? 'RABBITMQ_ANALYSIS_QUEUE' : 'RABBITMQ_QUEUE'} and RABBITMQ_EXCHANGE`;
  }
}
