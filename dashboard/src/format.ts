/** Numbers, durations and times as people read them. `null` is always said in words: what nobody knows is no 0. */

export const NOT_KNOWN = 'not known';

const GROUPED = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** Three significant digits at most, without trailing zeros: 0.42, 4.2, 42, 420. */
function short(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return String(Number(value.toFixed(digits)));
}

/** A whole number with its thousands apart: 12,345. */
export function count(value: number | null): string {
  return value === null ? NOT_KNOWN : GROUPED.format(value);
}

/** A count with its noun: 1 message, 2 messages. */
export function counted(value: number, one: string, many = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : many}`;
}

/**
 * A duration in the unit that suits it: 85 µs, 340 ms, 1.2 s, 3 min, 4 min 10 s, 2 h 5 min, 3 d 4 h.
 * @param seconds below 0 (clocks differ) is taken as 0
 */
export function duration(seconds: number | null): string {
  if (seconds === null) return NOT_KNOWN;
  const s = Math.max(0, seconds);
  if (s === 0) return '0 s';
  if (s < 0.001) return `${short(s * 1e6)} µs`;
  if (s < 0.9995) return `${s < 0.01 ? Number((s * 1000).toFixed(1)) : Math.round(s * 1000)} ms`;
  if (s < 9.95) return `${Number(s.toFixed(1))} s`;
  if (s < 59.5) return `${Math.round(s)} s`;
  if (s < 3_599.5) return pair(Math.round(s), 60, 'min', 's');
  if (s < 86_370) return pair(Math.round(s / 60), 60, 'h', 'min');
  return pair(Math.round(s / 3_600), 24, 'd', 'h');
}

/** Two units; the smaller one only where it says something: not beside ten or more of the larger. */
function pair(total: number, size: number, larger: string, smaller: string): string {
  const whole = Math.floor(total / size);
  const rest = total % size;
  if (whole >= 10 && larger === 'min') return `${Math.round(total / size)} min`;
  return rest === 0 ? `${whole} ${larger}` : `${whole} ${larger} ${rest} ${smaller}`;
}

/** How long something lasts that is only estimated: one unit, 40 s, 3 min, 2 h, 3 d. */
export function roughly(seconds: number): string {
  if (seconds < 1) return 'under 1 s';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5_400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 129_600) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** A rate per second: 0.4/s, 12/s, 1,234/s. */
export function rate(perSecond: number | null): string {
  if (perSecond === null) return NOT_KNOWN;
  if (perSecond > 0 && perSecond < 0.1) return `${short(perSecond * 60)}/min`;
  return `${perSecond >= 1_000 ? GROUPED.format(perSecond) : perSecond >= 10 ? Math.round(perSecond) : Number(perSecond.toFixed(1))}/s`;
}

/** A share as a percentage: 0.874 is 87 %. */
export function percent(share: number | null): string {
  if (share === null || Number.isNaN(share)) return NOT_KNOWN;
  return share > 0 && share < 0.005 ? '< 1 %' : `${Math.round(share * 100)} %`;
}

/** Memory: 163 MiB, 1.2 GiB. */
export function bytes(value: number | null): string {
  if (value === null) return NOT_KNOWN;
  const mebibytes = value / 1_048_576;
  return mebibytes < 1_000 ? `${Math.round(mebibytes)} MiB` : `${(mebibytes / 1_024).toFixed(1)} GiB`;
}

/** The time of day of a time, in the reader's zone: 03:14:07. */
export function clock(iso: string): string {
  return new Date(iso).toLocaleTimeString('en-GB');
}

/** Date and time in the reader's zone, the date only when it is another day than `now`'s. */
export function moment(iso: string | null, now: Date): string {
  if (iso === null) return NOT_KNOWN;
  const at = new Date(iso);
  if (at.toDateString() === now.toDateString()) return clock(iso);
  const date = at.toLocaleDateString('en-GB', {
    day: 'numeric',
    month: 'short',
    ...(at.getFullYear() === now.getFullYear() ? {} : { year: 'numeric' }),
  });
  return `${date}, ${clock(iso)}`;
}

/** How long ago a time was: 3 min ago. A time that is yet to come (clocks differ) is "just now". */
export function ago(iso: string, now: Date): string {
  const seconds = (now.getTime() - new Date(iso).getTime()) / 1000;
  return seconds < 1 ? 'just now' : `${roughly(seconds)} ago`;
}

/** A score's change with its sign: +12. */
export function change(value: number | null): string {
  return value === null ? '–' : value > 0 ? `+${count(value)}` : count(value);
}

/** PHASE2_ACQUAINTANCE, half_open: as words. */
export function words(name: string): string {
  const text = name.replaceAll('_', ' ').toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}
