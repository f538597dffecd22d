/** Every metric of the service, defined as data: `docs/metrics.md` is made from these, and so are the instruments. */
import { Injectable } from '@nestjs/common';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricDefinition } from './metric-definition';

/** Bounds for work that takes a millisecond when all is well, and minutes when calls to elsewhere are slow. Seconds. */
const WORK = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** Bounds for time that includes waiting in a queue, up to the hours of an outage. Seconds. */
const WAIT = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900, 3600, 14400];

/** OpenTelemetry's `messaging.destination.name` and `messaging.operation.name`, as Prometheus writes them. */
const DESTINATION = 'messaging_destination_name';
const OPERATION = 'messaging_operation_name';

export const METRICS = {
  processDuration: {
    type: 'histogram',
    group: 'Messaging',
    name: 'messaging_process_duration_seconds',
    help: 'From the delivery of a message until it is acknowledged, forwarded or handed back.',
    labels: [DESTINATION, OPERATION, 'error_type'],
    buckets: WORK,
  },
  consumedMessages: {
    type: 'counter',
    group: 'Messaging',
    name: 'messaging_client_consumed_messages_total',
    help: 'Messages delivered to this process, redeliveries included.',
    labels: [DESTINATION, OPERATION],
  },
  sentMessages: {
    type: 'counter',
    group: 'Messaging',
    name: 'messaging_client_sent_messages_total',
    help: 'Messages that this process published; without error_type the broker confirmed them.',
    labels: [DESTINATION, OPERATION, 'error_type'],
  },
  operationDuration: {
    type: 'histogram',
    group: 'Messaging',
    name: 'messaging_client_operation_duration_seconds',
    help: 'From publishing a message until the broker confirmed it or the publish failed.',
    labels: [DESTINATION, OPERATION, 'error_type'],
    buckets: WORK,
  },
  messagesInFlight: {
    type: 'gauge',
    group: 'Messaging',
    name: 'friendship_messages_in_flight',
    help: 'Messages delivered to this process that have no end yet.',
    labels: [DESTINATION],
  },
  messageConcurrency: {
    type: 'gauge',
    group: 'Messaging',
    name: 'friendship_message_concurrency',
    help: 'C: the most messages that this process holds in flight.',
    labels: [DESTINATION],
  },
  concurrencyDecisions: {
    type: 'counter',
    group: 'Messaging',
    name: 'friendship_concurrency_decisions_total',
    help: 'Changes of C by an adaptive worker, by their reason.',
    labels: ['reason'],
  },
  consumers: {
    type: 'gauge',
    group: 'Messaging',
    name: 'friendship_consumers',
    help: 'Consumers of this process: how many there should be (expected), and how many the broker serves (live).',
    labels: ['state'],
  },
  retries: {
    type: 'counter',
    group: 'Messaging',
    name: 'friendship_retries_total',
    help: 'Messages moved to a retry queue, by what made the attempt fail; held_too_long: none failed.',
    labels: ['error_type'],
  },
  deadLetters: {
    type: 'counter',
    group: 'Messaging',
    name: 'friendship_dead_letters_total',
    help: 'Dead letters that this process recorded, by reason.',
    labels: ['reason'],
  },
  criticalTime: {
    type: 'histogram',
    group: 'Conversations',
    name: 'friendship_critical_time_seconds',
    help: 'From the acceptance of a conversation to the commit of its score.',
    labels: [],
    buckets: WAIT,
  },
  queueWait: {
    type: 'histogram',
    group: 'Conversations',
    name: 'friendship_queue_wait_seconds',
    help: 'From the acceptance of a conversation to the delivery in which it was counted, waiting for retries included.',
    labels: [],
    buckets: WAIT,
  },
  slotWait: {
    type: 'histogram',
    group: 'Conversations',
    name: 'friendship_slot_wait_seconds',
    help: 'From the delivery of a message to the begin of the work on it.',
    labels: [],
    buckets: WORK,
  },
  analysisTime: {
    type: 'histogram',
    group: 'Conversations',
    name: 'friendship_analysis_time_seconds',
    help: 'How long a conversation that was counted waited for external services, all tries and both services together.',
    labels: [],
    buckets: WORK,
  },
  databaseTime: {
    type: 'histogram',
    group: 'Conversations',
    name: 'friendship_database_time_seconds',
    help: 'How long a conversation that was counted was in the database: load and commit, waiting for a connection included.',
    labels: [],
    buckets: WORK,
  },
  ackWait: {
    type: 'histogram',
    group: 'Conversations',
    name: 'friendship_ack_wait_seconds',
    help: 'From the commit of a score until its message is acknowledged.',
    labels: [],
    buckets: WORK,
  },
  conversations: {
    type: 'counter',
    group: 'Conversations',
    name: 'friendship_conversations_total',
    help: 'What became of deliveries: processed and skipped settle a conversation, duplicate is a delivery that counted nothing.',
    labels: ['result'],
  },
  accepted: {
    type: 'counter',
    group: 'Conversations',
    name: 'friendship_accepted_total',
    help: 'Posts answered 202: queued, stored (to be queued when the broker takes it), or duplicate.',
    labels: ['result'],
  },
  republished: {
    type: 'counter',
    group: 'Conversations',
    name: 'friendship_republished_total',
    help: 'Stored conversations that the sweeper put on the queue.',
    labels: [],
  },
  oldestUnsettled: {
    type: 'gauge',
    group: 'Conversations',
    name: 'friendship_oldest_unsettled_seconds',
    help: 'Age of the oldest conversation that is not settled, 0 if there is none. The same on every worker; up to 10 s old.',
    labels: [],
  },
  auditDifferences: {
    type: 'gauge',
    group: 'Conversations',
    name: 'friendship_audit_differences',
    help: 'Differences between statuses and events that the last whole audit found. Absent before the first.',
    labels: [],
  },
  auditTimestamp: {
    type: 'gauge',
    group: 'Conversations',
    name: 'friendship_audit_timestamp_seconds',
    help: 'When the last whole audit ended, in Unix time. Absent before the first.',
    labels: [],
  },
  commitGroupSize: {
    type: 'histogram',
    group: 'Conversations',
    name: 'friendship_commit_group_size',
    help: 'Conversations applied in one commit, where COMMIT_GROUP_SIZE is above 1.',
    labels: [],
    buckets: [1, 2, 4, 8, 16, 32, 64, 128],
  },
  externalCallDuration: {
    type: 'histogram',
    group: 'External services',
    name: 'friendship_external_call_duration_seconds',
    help: 'One attempt of a call, by service and outcome (ok, or a code of what failed).',
    labels: ['service', 'outcome'],
    buckets: WORK,
  },
  breakerState: {
    type: 'gauge',
    group: 'External services',
    name: 'friendship_breaker_state',
    help: 'Of the circuit breaker of this process: 0 closed, 1 trying again, 2 open.',
    labels: ['service'],
  },
  connectionWait: {
    type: 'histogram',
    group: 'Database',
    name: 'friendship_database_connection_wait_seconds',
    help: 'How long a piece of work waited for a connection of the pool.',
    labels: [],
    buckets: WORK,
  },
  databaseConnections: {
    type: 'gauge',
    group: 'Database',
    name: 'friendship_database_connections',
    help: 'Connections of the pool of this process, used and idle.',
    labels: ['state'],
  },
  databaseWaiting: {
    type: 'gauge',
    group: 'Database',
    name: 'friendship_database_waiting',
    help: 'Pieces of work that wait for a connection of the pool.',
    labels: [],
  },
  databasePoolSize: {
    type: 'gauge',
    group: 'Database',
    name: 'friendship_database_pool_size',
    help: 'The most connections that the pool opens.',
    labels: [],
  },
  httpDuration: {
    type: 'histogram',
    group: 'Process',
    name: 'http_server_request_duration_seconds',
    help: 'From the arrival of a request to the end of its answer, by route.',
    labels: ['http_request_method', 'http_route', 'http_response_status_code'],
    buckets: WORK,
  },
  dependencyUp: {
    type: 'gauge',
    group: 'Process',
    name: 'friendship_dependency_up',
    help: '1 while this process can use the dependency (broker or database), else 0.',
    labels: ['dependency'],
  },
  buildInfo: {
    type: 'gauge',
    group: 'Process',
    name: 'friendship_build_info',
    help: 'Always 1; says what runs.',
    labels: ['version', 'role'],
  },
} as const satisfies Record<string, MetricDefinition>;

type Definitions = typeof METRICS;
type Label<D extends MetricDefinition> = D['labels'][number];
type Instrument<D extends MetricDefinition> = D['type'] extends 'histogram'
  ? Histogram<Label<D>>
  : D['type'] extends 'counter'
    ? Counter<Label<D>>
    : Gauge<Label<D>>;

export type Instruments = { readonly [K in keyof Definitions]: Instrument<Definitions[K]> };

/** The instruments of one process, by their keys in {@link METRICS}. Using one costs well below a microsecond (docs/metrics.md). */
@Injectable()
export class Metrics {
  readonly registry = new Registry();
  readonly of = createInstruments(this.registry);
}

function createInstruments(registry: Registry): Instruments {
  const instruments = Object.entries<MetricDefinition>(METRICS).map(([key, definition]) => [
    key,
    createInstrument(definition, registry),
  ]);
  return Object.fromEntries(instruments) as Instruments;
}

function createInstrument({ type, name, help, labels, buckets }: MetricDefinition, registry: Registry) {
  const options = { name, help, labelNames: [...labels], registers: [registry] };
  switch (type) {
    case 'counter':
      return new Counter(options);
    case 'gauge':
      return new Gauge(options);
    case 'histogram':
      return new Histogram({ ...options, ...(buckets ? { buckets: [...buckets] } : {}) });
    default:
      return type satisfies never;
  }
}
