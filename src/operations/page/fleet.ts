/** What all processes said of themselves in the last two minutes, and what that comes to. Pure but for its own memory. */
import type { HistogramFigures } from '../../observability/instrument-figures';
import type { Counters, Distributions, ProcessFigures } from '../../observability/process-figures';
import { add, difference } from './distribution';

/** How long a process is remembered after its words, milliseconds: longer than the longest window. */
const MEMORY = 120_000;

/** A process that is silent for this long is gone, milliseconds. */
const GONE_AFTER = 10_000;

/** Up to this silence its last word is taken for the present, milliseconds: two of the intervals, and some more. */
const LATE_AFTER = 5_000;

/** More words than this of one process cannot come in its memory; whoever sends more is not one of ours. */
const MOST_SAMPLES = 200;

/** Processes that are remembered. */
const MOST_PROCESSES = 2_000;

interface Sample {
  /** When it was heard, milliseconds of a clock that never jumps. */
  readonly at: number;
  readonly figures: ProcessFigures;
}

/** One process as it was heard last. */
export interface Present {
  readonly figures: ProcessFigures;
  readonly seen_seconds_ago: number;
  readonly settled_per_second: number;
}

/** What external calls to one service came to in a window. */
export interface ServiceChange {
  /** The worst of all processes: 0 closed, 1 trying again, 2 open. */
  breaker: number;
  calls: HistogramFigures;
  callsPerSecond: number;
  failuresPerSecond: number;
}

/** What all processes did in a window. */
export interface Change {
  /** Per second. */
  readonly rates: Counters;
  readonly distributions: Partial<Distributions>;
  readonly services: ReadonlyMap<string, ServiceChange>;
}

interface Span {
  readonly latest: ProcessFigures;
  /** Undefined: the process began within the window, so everything that it counted did as well. */
  readonly base: ProcessFigures | undefined;
  readonly seconds: number;
  readonly isPresent: boolean;
}

const COUNTERS = ['accepted', 'settled', 'failed_attempts', 'duplicates', 'republished'] as const;
const DISTRIBUTIONS = ['critical', 'queue', 'slot', 'external', 'database', 'ack'] as const;

export class Fleet {
  /** By process: a restarted one is another, so no counter ever goes back. */
  private readonly processes = new Map<string, Sample[]>();

  /** @param now milliseconds of a clock that never jumps; the same in every call */
  hear(figures: ProcessFigures, now: number): void {
    const key = `${figures.instance} ${figures.started_at}`;
    const samples = this.processes.get(key) ?? [];
    if (samples.length === 0 && this.processes.size >= MOST_PROCESSES) return;
    samples.push({ at: now, figures });
    while (samples[0].at < now - MEMORY || samples.length > MOST_SAMPLES) samples.shift();
    this.processes.set(key, samples);
  }

  /** Those that are there, in the order of their names. */
  present(now: number, window: number): Present[] {
    this.forget(now);
    const latest = [...this.processes.values()].map((samples) => ({ samples, last: samples[samples.length - 1] }));
    return latest
      .filter(({ last }) => isPresent(last, now))
      .map(({ samples, last }) => ({
        figures: last.figures,
        seen_seconds_ago: (now - last.at) / 1000,
        settled_per_second: rate(spanOf(samples, now, window), 'settled'),
      }))
      .sort((a, b) => a.figures.instance.localeCompare(b.figures.instance));
  }

  /** What all did in the last `window` milliseconds, those included that have ended since. */
  change(now: number, window: number): Change {
    this.forget(now);
    const spans = [...this.processes.values()].map((samples) => spanOf(samples, now, window));
    const rates = Object.fromEntries(
      COUNTERS.map((name) => [name, spans.reduce((sum, span) => sum + rate(span, name), 0)]),
    ) as unknown as Counters;
    const distributions: Partial<Record<keyof Distributions, HistogramFigures>> = {};
    const services = new Map<string, ServiceChange>();
    for (const span of spans) {
      for (const name of DISTRIBUTIONS) {
        const came = difference(span.latest.distributions[name], span.base?.distributions[name]);
        distributions[name] = add(distributions[name], came);
      }
      addServices(services, span);
    }
    return { rates, distributions, services };
  }

  private forget(now: number): void {
    for (const [key, samples] of this.processes) {
      if (samples[samples.length - 1].at < now - MEMORY) this.processes.delete(key);
    }
  }
}

function spanOf(samples: readonly Sample[], now: number, window: number): Span {
  const begin = now - window;
  const [first] = samples;
  const last = samples[samples.length - 1];
  const bornAt = first.at - first.figures.uptime_seconds * 1000;
  // The last word before the window, else the birth if that was within it, else the first word that was heard.
  const base = samples.findLast(({ at }) => at <= begin) ?? (bornAt >= begin ? undefined : first);
  const end = now - last.at < LATE_AFTER ? last.at : now;
  return {
    latest: last.figures,
    base: base?.figures,
    seconds: (end - (base?.at ?? bornAt)) / 1000,
    isPresent: isPresent(last, now),
  };
}

function isPresent({ at }: Sample, now: number): boolean {
  return now - at < GONE_AFTER;
}

function rate({ latest, base, seconds }: Span, name: keyof Counters): number {
  const count = latest.counters[name] - (base?.counters[name] ?? 0);
  return seconds > 0 ? count / seconds : 0;
}

function addServices(services: Map<string, ServiceChange>, { latest, base, seconds, isPresent }: Span): void {
  for (const { service, breaker, calls, failures } of latest.services) {
    const before = base?.services.find((each) => each.service === service);
    const came = difference(calls, before?.calls);
    const count = came.counts.reduce((sum, each) => sum + each, 0);
    const known = services.get(service);
    const perSecond = (number: number) => (seconds > 0 ? number / seconds : 0);
    services.set(service, {
      breaker: Math.max(known?.breaker ?? 0, isPresent ? breaker : 0),
      calls: add(known?.calls, came),
      callsPerSecond: (known?.callsPerSecond ?? 0) + perSecond(count),
      failuresPerSecond: (known?.failuresPerSecond ?? 0) + perSecond(failures - (before?.failures ?? 0)),
    });
  }
}
