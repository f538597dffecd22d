/** The stream of states, which resumes whatever happens to it. */
import { get, Refusal } from './api';
import type { State } from './contract';

/** How the page is connected. `since`: when the last state came. */
export type Connection =
  { readonly kind: 'connecting' } | { readonly kind: 'live' } | { readonly kind: 'lost'; readonly since: Date };

export interface Listener {
  state(state: State): void;
  connection(connection: Connection): void;
  /** The session has ended, or there never was one. */
  signedOut(): void;
}

const STREAM = '/ops/api/stream';
/** How long to wait before asking again after the browser gave up, ms: doubled each time up to the last. */
const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 10_000;
/** Silence of so many intervals is a lost connection, even if the socket does not know yet. */
const SILENT_INTERVALS = 4;
/** Until the first state says how often they come, seconds. */
const ASSUMED_INTERVAL = 2;

/**
 * Follows the state until the returned function is called. The browser's EventSource resumes by itself after a cut; what
 * it does not survive (an answer other than 200, a socket gone silent) is opened anew here.
 */
export function follow(listener: Listener): () => void {
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let interval = ASSUMED_INTERVAL;
  let wait = FIRST_WAIT;
  let lastState: Date | undefined;
  let ended = false;

  const lost = () => {
    clearTimeout(silence);
    if (lastState) listener.connection({ kind: 'lost', since: lastState });
  };
  const open = () => {
    source?.close();
    source = new EventSource(STREAM);
    source.addEventListener('state', ({ data }: MessageEvent<string>) => {
      const state = JSON.parse(data) as State;
      interval = state.interval_seconds;
      wait = FIRST_WAIT;
      lastState = new Date();
      listener.connection({ kind: 'live' });
      listener.state(state);
      watch();
    });
    source.addEventListener('error', () => {
      lost();
      if (source?.readyState === EventSource.CLOSED) void askAgain();
      else watch();
    });
    watch();
  };
  const watch = () => {
    clearTimeout(silence);
    silence = setTimeout(
      () => {
        lost();
        void askAgain();
      },
      SILENT_INTERVALS * interval * 1000,
    );
  };
  /** The stream does not say why it was refused; the state does. */
  const askAgain = async () => {
    clearTimeout(silence);
    source?.close();
    try {
      const state = await get<State>('/state');
      if (ended) return;
      lastState = new Date();
      listener.state(state);
      open();
    } catch (error) {
      if (ended) return;
      if (error instanceof Refusal && error.status === 401) return listener.signedOut();
      listener.connection({ kind: 'lost', since: lastState ?? new Date() });
      lastState ??= new Date();
      timer = setTimeout(() => void askAgain(), wait);
      wait = Math.min(LONGEST_WAIT, wait * 2);
    }
  };
  // A phone that slept: its timers did too. What is shown must not look current.
  const wake = () => {
    if (document.visibilityState !== 'visible' || lastState === undefined) return;
    if (Date.now() - lastState.getTime() > SILENT_INTERVALS * interval * 1000) {
      lost();
      clearTimeout(timer);
      void askAgain();
    }
  };

  document.addEventListener('visibilitychange', wake);
  listener.connection({ kind: 'connecting' });
  open();
  return () => {
    ended = true;
    document.removeEventListener('visibilitychange', wake);
    clearTimeout(timer);
    clearTimeout(silence);
    source?.close();
  };
}
