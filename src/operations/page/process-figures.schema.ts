import { z } from 'zod';
import { FIGURES_FORMAT, type ProcessFigures } from '../../observability/process-figures';

/** A process says some kB; nobody who says more is one of ours. Bytes. */
const LARGEST = 64 * 1024;

const name = z.string().max(300);
const amount = z.number().min(0);

const histogram = z
  .object({ bounds: z.array(z.number()).min(1).max(50), counts: z.array(amount).max(51), sum: z.number() })
  .refine(({ bounds, counts }) => counts.length === bounds.length + 1);

/** What is expected of a word of telemetry. It comes over the broker, from whoever may publish there. */
const figures: z.ZodType<ProcessFigures> = z.object({
  format: z.literal(FIGURES_FORMAT),
  instance: name,
  started_at: z.iso.datetime(),
  uptime_seconds: amount,
  role: z.enum(['api', 'worker', 'all']),
  version: name,
  ready: z.boolean(),
  reason: name.nullable(),
  in_flight: amount,
  concurrency: amount,
  cpu_share: amount,
  event_loop_p99_seconds: amount,
  memory_bytes: amount,
  pool_used: amount,
  pool_size: amount,
  pool_waiting: amount,
  counters: z.object({
    accepted: amount,
    settled: amount,
    failed_attempts: amount,
    duplicates: amount,
    republished: amount,
  }),
  distributions: z.object({
    critical: histogram,
    queue: histogram,
    slot: histogram,
    external: histogram,
    database: histogram,
    ack: histogram,
  }),
  services: z
    .array(z.object({ service: name, breaker: z.number().min(0).max(2), calls: histogram, failures: amount }))
    .max(10),
});

/** @returns undefined for what is not what a process of this format says */
export function readFigures(body: Buffer): ProcessFigures | undefined {
  if (body.length > LARGEST) return undefined;
  try {
    return figures.safeParse(JSON.parse(body.toString())).data;
  } catch {
    return undefined;
  }
}
