import type { State } from './contract';
import { moment } from './format';
import type { Connection } from './live';
import { Status } from './status';
import { consequence, hidden, partName } from './verdict';

interface OutagesProps {
  readonly state: State;
  readonly connection: Connection;
}

/** What cannot be seen right now, since when, and what that means: above everything else, in words. */
export function Outages({ state, connection }: OutagesProps) {
  const now = new Date();
  const lost = connection.kind === 'lost';
  if (!lost && state.unavailable.length === 0) return null;
  return (
    <section class="outages" aria-label="Not available">
      {lost && (
        <div class="headline bad">
          <h1>
            <Status level="bad">
              Connection to the service lost since {moment(connection.since.toISOString(), now)}
            </Status>
          </h1>
          <p>The figures below are from then. The page keeps trying, and goes on by itself.</p>
        </div>
      )}
      {state.unavailable.map((outage) => (
        <div class="headline bad" key={outage.part}>
          <h1>
            <Status level="bad">
              {partName(outage.part)} unreachable{' '}
              {outage.since === null ? 'since before this api started' : `since ${moment(outage.since, now)}`}
            </Status>
          </h1>
          <p>
            {consequence([outage])} {hidden(outage)} <span class="muted">({outage.reason})</span>
          </p>
        </div>
      ))}
    </section>
  );
}
