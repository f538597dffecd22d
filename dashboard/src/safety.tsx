import type { ExternalService, State } from './contract';
import { ago, count, counted, duration, moment, rate } from './format';
import type { IconName } from './icon';
import { isAway, ofAll } from './known';
import { Meter } from './meter';
import { Status } from './status';

/** Whether every conversation counts exactly once; and what the workers depend on. */
export function Safety({ state }: { readonly state: State }) {
  const { database, totals, rates } = state;
  const silent = isAway(state, 'broker');
  const waiting = state.workers.list.reduce((sum, { pool_waiting }) => sum + pool_waiting, 0);
  return (
    <section id="safety" class="tiles three" aria-label="Safety and dependencies">
      <article class="card">
        <h2>Counted exactly once</h2>
        <Audit state={state} />
        <dl class="pairs">
          <div>
            <dt>Duplicates suppressed</dt>
            <dd>
              {count(ofAll(state, totals.duplicates_suppressed))}
              {!silent && <span class="muted"> ({rate(rates.duplicates)} now)</span>}
            </dd>
          </div>
          <div>
            <dt>Published again</dt>
            <dd>{count(ofAll(state, totals.republished))}</dd>
          </div>
          <div>
            <dt>Events that failed</dt>
            <dd>{count(totals.failed_events)}</dd>
          </div>
        </dl>
      </article>
      <article class="card">
        <h2>Database connections</h2>
        <p class={database.connections === null ? 'figure unknown' : 'figure'}>
          {count(database.connections)}{' '}
          <small>of a budget of {database.budget === null ? 'not known' : count(database.budget)}</small>
        </p>
        <Meter label="Database connections" value={database.connections} max={database.budget} warnAt={0.9} />
        <dl class="pairs">
          <div>
            <dt>Of this service</dt>
            <dd>{count(database.used_by_us)}</dd>
          </div>
          <div>
            <dt>Waiting for a connection</dt>
            <dd>{count(ofAll(state, waiting))}</dd>
          </div>
        </dl>
      </article>
      <article class="card">
        <h2>External services</h2>
        {silent ? (
          <Status level="unknown">Not known: the workers are silent</Status>
        ) : state.external.length === 0 ? (
          <p class="muted">None is configured: scores come from the producers’ metadata.</p>
        ) : (
          <ul class="plain services">
            {state.external.map((service) => (
              <Service key={service.service} {...service} />
            ))}
          </ul>
        )}
      </article>
    </section>
  );
}

function Audit({ state }: { readonly state: State }) {
  const { audit } = state;
  const now = new Date(state.at);
  if (audit === null)
    return (
      <p>
        <Status level="unknown">No audit is recorded</Status>
      </p>
    );
  return (
    <>
      <p>
        <Status level={audit.differences === 0 ? 'good' : 'bad'}>
          {audit.differences === 0
            ? 'The last audit found no difference'
            : `The last audit found ${counted(audit.differences, 'difference')}`}
        </Status>
      </p>
      <p class="muted">
        {ago(audit.at, now)} ({moment(audit.at, now)}): {counted(audit.users, 'child', 'children')},{' '}
        {counted(audit.events, 'event')}
      </p>
    </>
  );
}

const BREAKERS: Readonly<Record<ExternalService['breaker'], readonly [IconName, string]>> = {
  closed: ['good', 'answers'],
  half_open: ['warn', 'being tried again'],
  open: ['bad', 'calls suspended'],
};

function Service({ service, breaker, calls_per_second: calls, p95, failures_per_second: failures }: ExternalService) {
  const [level, text] = BREAKERS[breaker];
  return (
    <li>
      <p class="row spread">
        <strong>{service}</strong> <Status level={level}>{text}</Status>
      </p>
      <p class="muted">
        {rate(calls)}, p95 {p95 === null ? '–' : duration(p95)},{' '}
        {failures === 0 ? 'no failures' : `${rate(failures)} fail`}
      </p>
    </li>
  );
}
