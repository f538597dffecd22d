import { useEffect, useRef, useState } from 'preact/hooks';
import { Actions } from './actions';
import type { State } from './contract';
import { CriticalTime } from './critical-time';
import { Failures } from './failures';
import { Header } from './header';
import type { Connection } from './live';
import { LookUp, type Wanted } from './look-up';
import { Now } from './now';
import { Outages } from './outages';
import { Safety } from './safety';
import { Traffic } from './traffic';
import { verdict } from './verdict';
import { Status } from './status';
import { Workers } from './workers';

interface DashboardProps {
  readonly state: State | null;
  readonly connection: Connection;
  readonly operator: string;
  readonly onSignOut: () => void;
}

/** The page in the order in which its questions are asked. */
export function Dashboard({ state, connection, operator, onSignOut }: DashboardProps) {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  return (
    <>
      <a class="skip" href="#now">
        Skip to the figures
      </a>
      <Header state={state} connection={connection} operator={operator} onSignOut={onSignOut} />
      <main class={connection.kind === 'lost' ? 'stale' : ''}>
        <News state={state} connection={connection} />
        {state === null ? (
          <p class="card">Waiting for the first figures …</p>
        ) : (
          <>
            <Outages state={state} connection={connection} />
            {state.unavailable.length === 0 && <Headline state={state} />}
            <Now state={state} />
            <Traffic state={state} />
            <CriticalTime state={state} />
            <Failures state={state} onEvent={(id) => setWanted({ kind: 'event', id })} />
            <Safety state={state} />
            <Workers state={state} />
            <LookUp wanted={wanted} onWanted={setWanted} />
            <Actions actions={state.actions} />
          </>
        )}
      </main>
    </>
  );
}

function Headline({ state }: { readonly state: State }) {
  const { level, headline, why } = verdict(state);
  return (
    <section class={`headline ${level}`} aria-label="In one sentence">
      <h1>
        <Status level={level}>{headline}</Status>
      </h1>
      <p>{why}</p>
    </section>
  );
}

/** Says to a screen reader what has changed: a state as a whole, not every new number. */
function News({ state, connection }: { readonly state: State | null; readonly connection: Connection }) {
  const [news, setNews] = useState('');
  const last = useRef('');
  const now = state === null ? null : verdict(state);
  const key = connection.kind === 'lost' ? 'lost' : (now?.kind ?? '');
  useEffect(() => {
    if (key === '' || key === last.current) return;
    last.current = key;
    setNews(
      connection.kind === 'lost'
        ? 'The connection to the service is lost.'
        : `${now?.headline ?? ''}. ${now?.why ?? ''}`,
    );
  }, [key]);
  return (
    <p class="unseen" role="status" aria-live="polite">
      {news}
    </p>
  );
}
