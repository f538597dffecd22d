import type { IconName } from './icon';

/** How an event's status looks. */
export function statusLevel(status: string): IconName {
  switch (status) {
    case 'PROCESSED':
    case 'SKIPPED':
      return 'good';
    case 'FAILED':
      return 'bad';
    case 'PENDING':
      return 'warn';
    default:
      return 'unknown';
  }
}
