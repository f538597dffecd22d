/** How an event came to be what it is, as a list of what happened when. Pure. */
import type { EventView } from '../../conversation-events/event-view';
import type { Letter } from './failures.repository';

export interface Happening {
  readonly at: string;
  readonly what: string;
  readonly detail: string | null;
}

const SETTLED: Readonly<Record<string, string>> = {
  REPLAYING: 'replayed, to be published',
  REPLAYED: 'replayed',
  DISCARDED: 'discarded',
};

/** Everything of it that has a time, oldest first. The attempts between the first failure and the last are counted, not timed. */
export function timelineOf(event: EventView, letters: readonly Letter[]): Happening[] {
  const happenings: Happening[] = [
    { at: event.start_time, what: 'conversation began', detail: event.bot_name },
    { at: event.end_time, what: 'conversation ended', detail: null },
    { at: event.accepted_at, what: 'accepted', detail: null },
  ];
  for (const letter of letters) {
    const { dead_letter_id, reason, error_code, attempts } = letter;
    const cause = error_code ?? reason;
    if (letter.first_failed_at && attempts > 1) {
      happenings.push({ at: letter.first_failed_at.toISOString(), what: 'first failed attempt', detail: null });
    }
    happenings.push(
      { at: letter.last_failed_at.toISOString(), what: `attempt ${attempts} failed`, detail: cause },
      { at: letter.recorded_at.toISOString(), what: 'dead-lettered', detail: `#${dead_letter_id}, ${reason}` },
    );
    if (letter.settled_at) {
      const what = SETTLED[letter.state] ?? letter.state;
      happenings.push({ at: letter.settled_at.toISOString(), what, detail: letter.note });
    }
  }
  if (event.processed_at !== null) {
    const detail = event.friendship_score_change === null ? null : `+${event.friendship_score_change}`;
    happenings.push({ at: event.processed_at, what: event.status === 'SKIPPED' ? 'skipped' : 'counted', detail });
  }
  return happenings.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
