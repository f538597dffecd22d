/**
 * What one message and one process of this service cost: estimates for two cores of a virtual machine with Node 20, PostgreSQL 15 and
 * RabbitMQ 3.10 on it, to be replaced by what `tune` measures. Other machines differ: measure yours, and give its JSON to `plan --measured`.
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
  workerCpu: 0.65,
  databaseCpu: 0.5,
  brokerCpu: 0.35,
  connectionTime: 3,
  processMemory: 115 * 2 ** 20,
  messageMemory: 60 * 2 ** 10,
};
