/** A browser with the live page in it, and everything in it that must not happen. */
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core';
import { debianProgram } from '../support/debian-program';
import { until } from '../support/until';

/** Nothing of the browser's own may go to the network; it runs as root in containers. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What Chromium says about a connection or an answer that failed; the page tells the operator itself. */
const FAILED_REQUEST = /^Failed to load resource/;

export async function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: await debianProgram('chromium'), args: FLAGS });
}

export interface Look {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
}

/** One tab. What it must not do is collected: errors, refusals by its policy, requests to another host. */
export class PageDriver {
  private constructor(
    readonly page: Page,
    private readonly context: BrowserContext,
    private readonly offences: string[],
  ) {}

  static async open(browser: Browser, url: string, look: Look = {}): Promise<PageDriver> {
    const { theme = 'light', width = 1440, height = 1000 } = look;
    const context = await browser.newContext({
      viewport: { width, height },
      colorScheme: theme,
      reducedMotion: 'reduce',
      timezoneId: 'UTC',
    });
    const page = await context.newPage();
    const offences: string[] = [];
    const { host } = new URL(url);
    page.on('console', (message) => {
      const text = message.text();
      if (message.type() === 'error' && !FAILED_REQUEST.test(text)) offences.push(`console: ${text}`);
    });
    page.on('pageerror', (error) => offences.push(`error: ${error.message}`));
    page.on('request', (request) => {
      const asked = new URL(request.url());
      if (asked.host !== host) offences.push(`request to ${asked.host}`);
    });
    // Told by the browser itself, whatever the console says.
    await page.addInitScript(`addEventListener('securitypolicyviolation', (event) =>
      console.error('policy: ' + event.violatedDirective + ' ' + event.blockedURI))`);
    const answer = await page.goto(`${url}/ops`);
    if (answer?.status() !== 200) offences.push(`/ops answered ${answer?.status()}`);
    return new PageDriver(page, context, offences);
  }

  async signIn(key: string, operator = 'Mai'): Promise<this> {
    await this.page.getByLabel('Your name').fill(operator);
    await this.page.getByLabel('Operator key').fill(key);
    await this.page.getByRole('button', { name: 'Sign in' }).click();
    return this;
  }

  /** What must not have happened since this was last asked. */
  takeOffences(): string[] {
    return this.offences.splice(0);
  }

  /** The text of a part of the page, its white space as single spaces. */
  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).innerText()).replace(/\s+/g, ' ');
  }

  /** Waits until a part of the page says something. @throws with what it said instead after these seconds */
  async says(selector: string, pattern: RegExp, seconds = 20): Promise<void> {
    const part = this.page.locator(selector).first();
    let said = '';
    const says = async () =>
      pattern.test((said = ((await part.count()) ? await part.innerText() : '').replace(/\s+/g, ' ')));
    await until(`${selector} to say ${pattern}`, says, seconds).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; it says "${said}"`);
    });
  }

  /** How far the page is wider than its window, px. */
  overflow(): Promise<number> {
    return this.page.evaluate<number>('document.documentElement.scrollWidth - document.documentElement.clientWidth');
  }

  /** A picture of the page from its top, at most so high. */
  async picture(path: string, most: number): Promise<void> {
    await this.page.evaluate('scrollTo(0, 0)');
    const height = await this.page.evaluate<number>('document.documentElement.scrollHeight');
    const { width } = this.page.viewportSize()!;
    await this.page.screenshot({ path, fullPage: true, clip: { x: 0, y: 0, width, height: Math.min(height, most) } });
  }

  close(): Promise<void> {
    return this.context.close();
  }
}
