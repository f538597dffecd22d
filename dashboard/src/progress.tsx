import { useRef } from 'preact/hooks';
import type { Action } from './contract';
import { count, words } from './format';
import { Status } from './status';

/** Replays and discards that run, and those that ended while the page was open. */
export function Progress({ actions }: { readonly actions: readonly Action[] }) {
  const seenRunning = useRef(new Set<string>());
  const opened = useRef(Date.now());
  const jobs = actions.filter(({ action }) => action === 'replay' || action === 'discard');
  for (const { action_id: id, state, at } of jobs)
    if (state === 'running' || Date.parse(at) > opened.current) seenRunning.current.add(id);
  const shown = jobs.filter(({ action_id: id }) => seenRunning.current.has(id)).slice(0, 5);
  if (shown.length === 0) return null;
  return (
    <ul class="jobs" aria-live="polite">
      {shown.map(({ action_id: id, action, what, state, done, total }) => (
        <li key={id}>
          <span class="job-text">
            {state === 'running' ? (
              <span>{action === 'replay' ? 'Replaying' : 'Discarding'}</span>
            ) : (
              <Status level={state === 'done' ? 'good' : 'bad'}>
                {state === 'done' ? (action === 'replay' ? 'Replayed' : 'Discarded') : `${words(action)} failed`}
              </Status>
            )}{' '}
            <span class="muted">{what}</span>
          </span>
          <progress max={Math.max(1, total)} value={done} aria-label={`${words(action)} ${what}`} />
          <span class="job-count">
            {count(done)} of {count(total)}
          </span>
        </li>
      ))}
    </ul>
  );
}
