const ISO_8601 = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]\d\d(?::?\d\d)?)?$/;

/**
 * Reads an ISO 8601 date and time. No zone means UTC; digits beyond milliseconds are cut off.
 * @returns undefined for anything else, such as 30 February, a date without a time, or a number
 */
export function parseInstant(value: unknown): Date | undefined {
  const match = typeof value === 'string' && value.length <= 40 ? ISO_8601.exec(value) : null;
  if (!match) return undefined;
  const month = Number(match[2]);
  const day = Number(match[3]);
  const hour = Number(match[4]);
  const minute = Number(match[5]);
  const second = Number(match[6] ?? 0);
  if (month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59) return undefined;
  const millisecond = match[7] === undefined ? 0 : Number(match[7].slice(0, 3).padEnd(3, '0'));
  const date = new Date(Date.UTC(Number(match[1]), month - 1, day, hour, minute, second, millisecond));
  // Date.UTC rolls over what does not exist, and takes the year 26 for 1926; a real date comes back as it was written.
  if (date.getUTCDate() !== day || date.getUTCFullYear() !== Number(match[1])) return undefined;
  const offset = zoneOffsetMs(match[8]);
  if (offset === undefined) return undefined;
  return offset === 0 ? date : new Date(date.getTime() - offset);
}

function zoneOffsetMs(zone: string | undefined): number | undefined {
  if (zone === undefined || zone.toUpperCase() === 'Z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(3).replace(':', '') || 0);
  if (hours > 15 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}
