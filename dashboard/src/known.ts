/** What a state can say while a part is away. Without the broker the other processes are silent: sums over them are not known. */
import type { Moment, Part, State } from './contract';

export function isAway({ unavailable }: State, wanted: Part): boolean {
  return unavailable.some(({ part }) => part === wanted);
}

/** A figure of all processes: null while the broker is away. */
export function ofAll(state: State, value: number): number | null {
  return isAway(state, 'broker') ? null : value;
}

/** The same of a moment that has passed: nobody knew the queues then either. */
export function ofAllThen({ ready }: Moment, value: number): number | null {
  return ready === null ? null : value;
}
