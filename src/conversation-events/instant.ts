const ISO_8601 = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Reads an ISO 8601 date and time. No zone means UTC; digits beyond milliseconds are cut off.
 * @returns undefined for anything else, such as 30 February, a date without a time, or a number
 */
export function parseInstant(value: unknown): Date | undefined {
  const match = typeof value === 'string' && value.length <= 40 ? ISO_8601.exec(value) : null;
  if (!match) return undefined;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map((part) => Number(part ?? 0));
  const millisecond = Number((match[7] ?? '').slice(0, 3).padEnd(3, '0'));
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, millisecond);
  const date = new Date(utc);
  // Date.UTC rolls over what does not exist; a real date comes back as it was written.
  const exists =
    date.getUTCFullYear() === year &&
    date.getUTCMonth() === month - 1 &&
    date.getUTCDate() === day &&
    hour < 24 &&
    minute < 60 &&
    second < 60;
  const offset = zoneOffsetMs(match[8]);
  return exists && offset !== undefined ? new Date(utc - offset) : undefined;
}

function zoneOffsetMs(zone: string | undefined): number | undefined {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || 0);
  if (hours > 15 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
