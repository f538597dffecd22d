/**
 * What one message and one process of this service cost on two cores of a virtual machine with Node 20, PostgreSQL 15 and RabbitMQ 3.10
 * on it: CPU and memory of a process are medians of `bench -- growth` at C = 10, memory of a message is from `bench -- external-calls`
 * (480 and 1,000 in flight), the time of a connection from `tune` (1.2 to 6 ms). Commit 04f5666, 2026-11-28. Other machines differ: measure
 * yours, and give its JSON to `plan --measured`.
 */
export interface Costs {
  /** CPU of the worker process for a message, beside the mix's own, milliseconds. */
  readonly workerCpu: number;
  /** CPU of PostgreSQL for a message, milliseconds. */
  readonly databaseCpu: number;
  /** CPU of RabbitMQ for a message, milliseconds. */
  readonly brokerCpu: number;
  /** How long a message holds a connection to PostgreSQL, milliseconds. */
  readonly connectionTime: number;
  /** Resident memory of a worker with little in flight, bytes. */
  readonly processMemory: number;
  /** Resident memory for each further message in flight, bytes. */
  readonly messageMemory: number;
}

export const MEASURED_COSTS: Costs = {
  workerCpu: 0.4,
  databaseCpu: 0.66,
  brokerCpu: 0.25,
  connectionTime: 3,
  processMemory: 150 * 2 ** 20,
  messageMemory: 48 * 2 ** 10,
};
