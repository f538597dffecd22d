import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { conversation } from '../support/conversations';
import { INSTALLATION } from '../support/debian-program';
import { insertEvent } from '../support/insert-event';
import { createNamespace, type Namespace } from '../support/namespace';
import { ServiceProcess, stopAll } from '../support/service-process';
import { TcpProxy } from '../support/tcp-proxy';
import { until } from '../support/until';
import { launchBrowser, PageDriver } from './page-driver';

const KEY = 'operator-key-of-the-tests';

/** Conversations that a burst leaves waiting. */
const BURST = 4_000;

/** Where pictures go: into the documentation when that is asked for (UPDATE_PICTURES=1), else where git does not look. */
const pictures =
  process.env.UPDATE_PICTURES === '1'
    ? join(__dirname, '..', '..', 'docs', 'images')
    : join(__dirname, '..', '..', '.local', 'pictures');

describe('the live page, in a browser, on a service at work', () => {
  let namespace: Namespace;
  let toBroker: TcpProxy;
  let toApi: TcpProxy;
  let api: ServiceProcess;
  let workers: ServiceProcess[];
  let variables: Record<string, string>;
  let load: Load;
  let browser: Browser;
  let url: string;
  let tab: PageDriver;

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    namespace = await createNamespace({
      OPERATOR_KEY: KEY,
      MESSAGE_CONCURRENCY_PER_WORKER: '4',
      WORKER_REPLICAS: '2',
    });
    toBroker = await TcpProxy.to(namespace.variables.RABBITMQ_URL);
    variables = { ...namespace.variables, RABBITMQ_URL: toBroker.urlThrough(namespace.variables.RABBITMQ_URL) };
    [browser, api, ...workers] = await Promise.all([launchBrowser(), startApi(), startWorker(), startWorker()]);
    toApi = await TcpProxy.to(api.url);
    url = toApi.urlThrough(api.url).replace(/\/$/, '');
    load = new Load(api);
    tab = await (await PageDriver.open(browser, url)).signIn(KEY);
    await tab.says('.headline', /All is well/);
  }, INSTALLATION);

  afterEach(() => {
    expect(tab.takeOffences()).toEqual([]);
  });

  afterAll(async () => {
    await load?.stop();
    await tab?.close();
    await browser?.close();
    await stopAll();
    await toApi?.down();
    await toBroker?.down();
    await namespace?.remove();
  });

  const startApi = () => ServiceProcess.start('api', variables).then((service) => service.ready(60));
  const startWorker = () => ServiceProcess.start('worker', variables).then((service) => service.ready(60));

  /** All that was accepted until now is settled; the load goes on. */
  const settled = async () => {
    const { rows } = await namespace.database.query<{ now: Date }>('SELECT now()');
    await until(
      'everything to be settled',
      async () => {
        const left = await namespace.database.query(
          `SELECT FROM conversation_events WHERE status = 'PENDING' AND accepted_at <= $1 LIMIT 1`,
          [rows[0].now],
        );
        return left.rows.length === 0;
      },
      60,
    );
  };

  it('refuses a wrong key in words, and shows the state for the right one', async () => {
    const other = await PageDriver.open(browser, url);
    await other.signIn('not-the-operators-key');
    await other.says('[role=alert]', /key/i);
    expect(other.takeOffences()).toEqual([]);
    await other.signIn(KEY);
    await other.says('.headline', /./);
    await other.says('#actions', /Failed login.*refused/s);
    await other.close();
  });

  it('shows arrival, completion, both workers and the latency of live load', async () => {
    await tab.says('#now', /2 of 2 workers ready/);
    await tab.says('#now', /[1-9]\d*(\.\d)?\/s arrive/);
    await tab.says('#now', /[1-9]\d*(\.\d)?\/s completed/);
    await tab.says('#critical-time', /p50 [\d.]+ (ms|s)/);
    await tab.page.getByText('As a table').first().click();
    await tab.says('.charts table >> nth=0', /\d\d:\d\d:\d\d/);
  });

  it('is usable in both themes at 390 and 1440 px, without scrolling to the side', async () => {
    for (const theme of ['light', 'dark'] as const)
      for (const [width, most] of [
        [1440, 1_900],
        [390, 1_500],
      ] as const) {
        const one = await (await PageDriver.open(browser, url, { theme, width })).signIn(KEY);
        await one.says('#now', /2 of 2 workers ready/);
        await one.says('#actions', /Login/);
        expect(await one.overflow()).toBeLessThanOrEqual(0);
        await one.picture(join(pictures, `live-page-${theme}-${width}.png`), most);
        expect(one.takeOffences()).toEqual([]);
        await one.close();
      }
  });

  it('shows a burst as messages that wait, and that they are gone again', async () => {
    const ids = await insertBurst(namespace, BURST);
    await namespace.broker.sendAll(ids.map((conversation_id) => ({ body: { conversation_id } })));
    await tab.says('#now', /Waiting [1-9][\d,]{2,}/);
    await tab.picture(join(pictures, 'live-page-burst.png'), 1_000);
    await settled();
    await tab.says('#now', /Waiting \d{1,2} /);
  });

  it('names a worker that was killed as missing until another one is there', async () => {
    await workers.pop()!.stop('SIGKILL');
    await tab.says('.headline', /1 worker of 2 missing/);
    await tab.says('#now', /1 of 2 workers ready/);
    workers.push(await startWorker());
    await tab.says('#now', /2 of 2 workers ready/);
    await tab.says('.headline', /All is well/);
  });

  it('says that the broker is away, since when, and what is not known; and that all is well when it is back', async () => {
    await toBroker.down();
    await tab.says('.outages', /RabbitMQ unreachable since \d\d:\d\d:\d\d/);
    await tab.says('#now', /Waiting not known/);
    expect(await tab.text('#now')).toMatch(/not known of 2 workers ready/);
    await tab.picture(join(pictures, 'live-page-broker-away.png'), 1_000);
    await toBroker.up();
    await tab.says('.headline', /All is well/, 60);
    expect(await tab.page.locator('.outages').count()).toBe(0);
    await settled();
  });

  it('replays failures by cause from the page, with progress, and they are counted', async () => {
    const failing = Array.from({ length: 12 }, () => conversation());
    await namespace.broker.sendAll(failing.map(({ conversation_id }) => ({ body: { conversation_id } })));
    const cause = tab.page.locator('.causes > li', { hasText: 'Conversation not found' });
    await cause.locator('.cause-count', { hasText: /^12$/ }).waitFor();
    for (const body of failing) expect((await api.post('/v1/conversations/end', body)).status).toBe(202);

    await cause.getByRole('button', { name: 'Replay' }).click();
    await tab.page.getByRole('dialog').getByText('Replay 12 dead letters?').waitFor();
    await tab.page.getByRole('dialog').getByRole('button', { name: 'Replay' }).click();
    await tab.says('.jobs', /Replayed.*12 of 12/s);
    await cause.waitFor({ state: 'detached' });
    await tab.says('#actions', /Mai Replay/);
    const { rows } = await namespace.database.query(
      `SELECT FROM conversation_events WHERE status = 'PROCESSED' AND conversation_id = ANY ($1)`,
      [failing.map(({ conversation_id }) => conversation_id)],
    );
    expect(rows).toHaveLength(12);
  });

  it('discards selected failures only with a reason, not on Escape, and says who did it', async () => {
    await namespace.broker.sendAll(Array.from({ length: 3 }, () => ({ body: Buffer.from('no JSON') })));
    const cause = tab.page.locator('.causes > li', { hasText: 'Invalid message' });
    await cause.locator('.cause-count', { hasText: /^3$/ }).waitFor();
    await cause.getByRole('button', { name: 'Show each' }).click();
    await tab.says('.letters', /none named/);
    await cause.getByRole('checkbox').check();
    await tab.page.getByRole('button', { name: 'Discard selected' }).click();
    const dialog = tab.page.getByRole('dialog');
    const discard = dialog.getByRole('button', { name: 'Discard' });
    expect(await discard.isDisabled()).toBe(true);
    await dialog.getByRole('textbox').fill('sent by a test');
    await tab.page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await tab.page.getByRole('button', { name: 'Discard selected' }).click();
    await dialog.getByRole('textbox').fill('sent by a test');
    await discard.click();
    await tab.says('.jobs', /Discarded.*3 of 3/s);
    await cause.waitFor({ state: 'detached' });
    const { rows } = await namespace.database.query(
      `SELECT operator, note, done FROM operator_actions WHERE action = 'discard'`,
    );
    expect(rows).toEqual([{ operator: 'Mai', note: 'sent by a test', done: 3 }]);
  });

  it('tells why an event has its score, and how its child stands, by their ids', async () => {
    const body = conversation({ user_id: 'child-of-the-page', metadata: { session_emotion: 'interesting' } });
    expect((await api.post('/v1/conversations/end', body)).status).toBe(202);
    await settled();
    await tab.page.getByRole('textbox', { name: 'Event, by conversation id' }).fill(body.conversation_id);
    await tab.page.keyboard.press('Enter');
    await tab.says('.story', /Mood interesting metadata \+15/);
    await tab.says('.timeline', /Counted \+18/);
    await tab.page.getByRole('button', { name: 'child-of-the-page' }).click();
    await tab.says('.story', /Score 18/);
    expect(await tab.text('#look-up')).not.toMatch(/Answer|Question \d/);
  });

  it('can be used from the keyboard, with the focus seen, and remembers the colours chosen', async () => {
    const other = await (await PageDriver.open(browser, url)).signIn(KEY);
    await other.says('.headline', /./);
    await other.page.reload();
    await other.says('.headline', /./);
    const { keyboard } = other.page;
    const focused = (what: string) => other.page.evaluate<string>(`document.activeElement.${what}`);
    await keyboard.press('Tab');
    expect(await focused('textContent')).toBe('Skip to the figures');
    await keyboard.press('Tab');
    expect(await focused('ariaLabel')).toMatch(/^Colours: as the system/);
    expect(await other.page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
    await keyboard.press('Enter');
    await keyboard.press('Enter');
    expect(await other.page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
    await other.page.reload();
    await other.says('.headline', /./);
    expect(await other.page.evaluate('document.documentElement.dataset.theme')).toBe('dark');
    expect(other.takeOffences()).toEqual([]);
    await other.close();
  });

  it('says that the connection is lost, and resumes by itself', async () => {
    await toApi.down();
    await tab.says('.outages', /Connection to the service lost since/);
    await tab.says('.freshness', /Not current/);
    await toApi.up();
    await tab.says('.freshness', /Live, as of/);
    expect(await tab.page.locator('.outages').count()).toBe(0);
  });
});

/** Stores events in one statement each hundred; nothing is queued. @returns their ids */
async function insertBurst(namespace: Namespace, count: number): Promise<string[]> {
  const first = await insertEvent(namespace, 'child-of-the-burst');
  const { rows } = await namespace.database.query<{ conversation_id: string }>(
    `INSERT INTO conversation_events (conversation_id, user_id, bot_id, bot_name, bot_type, start_time, end_time, conversation_log, fingerprint)
     SELECT conversation_id || '-' || n, 'child-of-burst-' || n % 50, bot_id, bot_name, bot_type, start_time, end_time, conversation_log, fingerprint
       FROM conversation_events, generate_series(2, $2) AS n WHERE conversation_id = $1 RETURNING conversation_id`,
    [first, count],
  );
  return [first, ...rows.map(({ conversation_id }) => conversation_id)];
}

/** Conversations posted one after another, as long as the tests run. */
class Load {
  private stopping = false;
  private readonly done: Promise<void>;

  constructor(api: ServiceProcess) {
    this.done = this.post(api);
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.done;
  }

  private async post(api: ServiceProcess): Promise<void> {
    for (let child = 0; !this.stopping; child = (child + 1) % 20) {
      await api.post('/v1/conversations/end', conversation({ user_id: `child-${child}` })).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  }
}
