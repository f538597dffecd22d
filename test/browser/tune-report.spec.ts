import { pathToFileURL } from 'node:url';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { INSTALLATION } from '../support/debian-program';
import { createNamespace, type Namespace } from '../support/namespace';
import { runTune, type TuneRun } from '../support/tune-run';
import { launchBrowser } from './page-driver';

const pictures = join(__dirname, '..', '..', '.local', 'pictures');

/** The contrast that WCAG 2 asks for (AA), and that of black and white. */
const LEAST_CONTRAST = 4.5;
const MOST_CONTRAST = 21;

/** The least contrast of any text on the page against what is behind it, and that text. Runs in the page. */
const WORST_TEXT = `(() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const light = (colour) => {
    const [r, g, b] = channels(colour).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = getComputedStyle(e).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  let worst = { contrast: Infinity, text: '' };
  for (const element of document.body.querySelectorAll('*')) {
    const text = [...element.childNodes].filter((n) => n.nodeType === Node.TEXT_NODE).map((n) => n.data.trim()).join('');
    if (!text || ['STYLE', 'title'].includes(element.tagName)) continue;
    const style = getComputedStyle(element);
    const [a, b] = [light(element instanceof SVGElement ? style.fill : style.color), light(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < worst.contrast) worst = { contrast, text };
  }
  return worst;
})()`;

describe('the report of tune, in a browser', () => {
  let namespace: Namespace;
  let run: TuneRun;
  let browser: Browser;

  beforeAll(async () => {
    mkdirSync(pictures, { recursive: true });
    namespace = await createNamespace();
    [browser, run] = await Promise.all([launchBrowser(), runTune(namespace.variables)]);
  }, INSTALLATION);
  afterAll(async () => {
    await browser?.close();
    await run?.remove();
    await namespace?.remove();
  });

  it.each([
    ['light', 1440],
    ['dark', 1440],
    ['light', 390],
    ['dark', 390],
  ] as const)('%s, %i px wide: readable, without an error, and asking nobody for anything', async (theme, width) => {
    const context = await browser.newContext({ colorScheme: theme, viewport: { width, height: 900 } });
    const page: Page = await context.newPage();
    const offences: string[] = [];
    page.on('console', (message) => offences.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => offences.push(`error: ${error.message}`));
    const url = pathToFileURL(run.report).href;
    page.on('request', (request) => {
      if (request.url() !== url && !request.url().startsWith('data:')) offences.push(`request: ${request.url()}`);
    });
    await page.goto(url);
    expect(await page.getByRole('heading', { level: 1 }).innerText()).toContain('messages a second');
    expect(await page.locator('svg').count()).toBeGreaterThanOrEqual(3);
    const worst = await page.evaluate<{ contrast: number; text: string }>(WORST_TEXT);
    if (!(worst.contrast >= LEAST_CONTRAST && worst.contrast <= MOST_CONTRAST))
      offences.push(`"${worst.text}" has a contrast of ${worst.contrast}`);
    const beyond = await page.evaluate<number>(
      'document.documentElement.scrollWidth - document.documentElement.clientWidth',
    );
    if (beyond > 0) offences.push(`the page is ${beyond} px wider than its window`);
    await page.screenshot({ path: join(pictures, `tune-report-${theme}-${width}.png`), fullPage: true });
    expect(offences).toEqual([]);
    await context.close();
  });
});
