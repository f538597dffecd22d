import type { ComponentChildren } from 'preact';
import type { State } from './contract';
import { count, duration, rate, roughly, NOT_KNOWN } from './format';
import { isAway, ofAll } from './known';
import { Meter } from './meter';
import { Status } from './status';
import { RESOURCES, waitingMessages } from './verdict';

/** The four questions that come first. */
export function Now({ state }: { readonly state: State }) {
  return (
    <section id="now" class="tiles" aria-label="Now" tabIndex={-1}>
      <Backlog state={state} />
      <Flow state={state} />
      <InFlight state={state} />
      <Binding state={state} />
    </section>
  );
}

/** @param value shown large; null: not known */
function Figure({ value }: { readonly value: string }) {
  return <p class={value === NOT_KNOWN ? 'figure unknown' : 'figure'}>{value}</p>;
}

function Tile({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  return (
    <article class="card tile">
      <h2>{name}</h2>
      {children}
    </article>
  );
}

function Backlog({ state }: { readonly state: State }) {
  const { oldest_unsettled_seconds: oldest, lanes, retry_waiting: retries } = state.backlog;
  const waiting = waitingMessages(state);
  // Where the database answers, none is an answer.
  const none = oldest === null && !isAway(state, 'database');
  return (
    <Tile name="Oldest message">
      <Figure value={none ? 'none' : duration(oldest)} />
      <p>{drain(state, waiting)}</p>
      <dl class="pairs">
        {lanes.map(({ name, ready }) => (
          <div key={name}>
            <dt>{lanes.length === 1 ? 'Waiting' : name === 'main' ? 'Waiting, main' : 'Waiting, analysis'}</dt>
            <dd>{count(ready)}</dd>
          </div>
        ))}
        <div>
          <dt>To be retried</dt>
          <dd>{count(retries)}</dd>
        </div>
      </dl>
    </Tile>
  );
}

function drain({ backlog }: State, waiting: number | null) {
  if (backlog.growing) return <Status level="bad">The backlog grows</Status>;
  if (backlog.seconds_to_drain !== null)
    return (
      <>
        Drained in about <strong>{roughly(backlog.seconds_to_drain)}</strong>
      </>
    );
  if (waiting === null) return <Status level="unknown">Time to drain not known</Status>;
  return waiting === 0 ? <Status level="good">Nothing waits</Status> : <Status level="good">Keeping up</Status>;
}

function Flow({ state }: { readonly state: State }) {
  const { accepted, settled: settledHere, failed_attempts: failed } = state.rates;
  const settled = ofAll(state, settledHere);
  const alone = settled === null;
  const difference = accepted - settledHere;
  // Within a tenth the two are the same: they are counted in different processes.
  const level = Math.abs(difference) <= Math.max(0.5, 0.1 * accepted);
  return (
    <Tile name="Arrival against completion">
      <div class="versus">
        <div>
          <Figure value={rate(accepted)} />
          <p class="muted">{alone ? 'arrive here' : 'arrive'}</p>
        </div>
        <div>
          <Figure value={rate(settled)} />
          <p class="muted">completed</p>
        </div>
      </div>
      <dl class="pairs">
        <div>
          <dt>Difference</dt>
          <dd>
            {alone
              ? NOT_KNOWN
              : level
                ? 'balanced'
                : `${rate(Math.abs(difference))} ${difference > 0 ? 'left over' : 'caught up'}`}
          </dd>
        </div>
        <div>
          <dt>Failed attempts</dt>
          <dd>{rate(ofAll(state, failed))}</dd>
        </div>
      </dl>
    </Tile>
  );
}

function InFlight({ state }: { readonly state: State }) {
  const { workers } = state;
  const running = workers.list.filter(({ role }) => role !== 'api').length;
  const expected = workers.expected ?? ofAll(state, running);
  const inFlight = ofAll(state, workers.in_flight);
  const ready = ofAll(state, workers.ready);
  return (
    <Tile name="In flight and workers">
      <div class="gauge">
        <p class={inFlight === null ? 'figure unknown' : 'figure'}>
          {count(inFlight)}{' '}
          <small>{inFlight === null ? 'in flight' : `of ${count(workers.concurrency)} in flight`}</small>
        </p>
        <Meter label="Messages in flight" value={inFlight} max={workers.concurrency} />
      </div>
      <div class="gauge">
        <p class={ready === null ? 'figure unknown' : 'figure'}>
          {count(ready)}{' '}
          <small>
            {expected === null ? 'workers' : `of ${count(expected)} ${expected === 1 ? 'worker' : 'workers'}`} ready
          </small>
        </p>
        <Meter label="Workers ready" value={ready} max={expected} />
      </div>
    </Tile>
  );
}

function Binding({ state }: { readonly state: State }) {
  const { resource, why } = state.binds;
  return (
    <Tile name="What binds">
      <p class={resource === 'unknown' ? 'figure name unknown' : 'figure name'}>{RESOURCES[resource]}</p>
      <p>{why}</p>
    </Tile>
  );
}
