/**
 * What one message and one process of this service cost on two cores of a virtual machine with Node 20, PostgreSQL 15 and RabbitMQ
 * 3.10 on it, rounded from what `tune --grid` measured there (docs/tuning.md): CPU over all points of the database-bound mix; a
 * connection is held for 1.2 ms by a message alone and for 6 ms where all cores are busy; memory from the grid with calls of 200 ms.
 * Other machines differ: measure yours, and give its JSON to `plan --measured`.
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
  workerCpu: 0.75,
  databaseCpu: 0.55,
  brokerCpu: 0.25,
  connectionTime: 3,
  processMemory: 135 * 2 ** 20,
  messageMemory: 175 * 2 ** 10,
};
