/** An operator in front of the page: what a browser would send. */
import type { State } from '../../src/operations/page/state';
import type { Answer, ServiceProcess } from './service-process';
import { until } from './until';

export const OPERATOR_KEY = 'the-key-of-the-operators';

export class Operator {
  private constructor(
    private readonly api: ServiceProcess,
    /** As it goes into `Cookie`. */
    readonly cookie: string,
  ) {}

  /** What a page of this origin sends along. */
  static headers(api: ServiceProcess): Record<string, string> {
    return { 'x-ops': '1', origin: api.url };
  }

  static async logIn(api: ServiceProcess, operator = 'An'): Promise<Operator> {
    const answer = await api.post('/ops/api/session', { key: OPERATOR_KEY, operator }, Operator.headers(api));
    if (answer.status !== 204) throw new Error(`expected to be logged in, got ${answer.status}: ${answer.text}`);
    return new Operator(api, answer.headers.get('set-cookie')!.split(';')[0]);
  }

  get<T = Record<string, unknown>>(path: string): Promise<Answer<T>> {
    return this.api.get<T>(`/ops/api/${path}`, { cookie: this.cookie });
  }

  post<T = Record<string, unknown>>(path: string, body: unknown): Promise<Answer<T>> {
    return this.api.post<T>(`/ops/api/${path}`, body, { cookie: this.cookie, ...Operator.headers(this.api) });
  }

  async state(): Promise<State> {
    return (await this.get<State>('state')).body;
  }

  /** Waits until the page shows what `matches` looks for. */
  shows(what: string, matches: (state: State) => boolean, seconds = 25): Promise<State> {
    return until(
      `the page to show ${what}`,
      async () => {
        const state = await this.state();
        return matches(state) && state;
      },
      seconds,
    );
  }

  /** Orders something and waits for its end. */
  async done(path: string, order: unknown): Promise<State['actions'][number]> {
    const { status, body, text } = await this.post<{ action_id: string }>(path, order);
    if (status !== 202) throw new Error(`expected 202, got ${status}: ${text}`);
    const mine = ({ actions }: State) => actions.find(({ action_id }) => action_id === body.action_id);
    const ended = (state: State) => mine(state) !== undefined && mine(state)!.state !== 'running';
    return mine(await this.shows('the end of the action', ended))!;
  }

  /** Reads server-sent events until `count` of them came, or to the end of the stream. */
  async stream(
    count = Infinity,
    onEvent: () => void = () => undefined,
  ): Promise<{ id: string; event: string; state: State }[]> {
    const abort = new AbortController();
    const response = await fetch(`${this.api.url}/ops/api/stream`, {
      headers: { cookie: this.cookie },
      signal: abort.signal,
    });
    if (response.status !== 200) throw new Error(`expected a stream, got ${response.status}`);
    const events: { id: string; event: string; state: State }[] = [];
    let rest = '';
    for await (const bytes of response.body!) {
      const blocks = (rest + Buffer.from(bytes).toString()).split('\n\n');
      rest = blocks.pop()!;
      for (const block of blocks) {
        const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)?.[1] ?? '';
        if (field('data') !== '') {
          events.push({ id: field('id'), event: field('event'), state: JSON.parse(field('data')) as State });
          onEvent();
        }
      }
      if (events.length >= count) break;
    }
    abort.abort();
    return events;
  }
}
