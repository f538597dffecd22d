import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';

const built = join(__dirname, '..', '..', 'dist', 'ops');

/** What a browser loads to show the live page, gzipped, bytes: an operator may be on a phone. */
const LIMIT = 60_000;

const files = readdirSync(built, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map(({ parentPath, name }) => ({ name, bytes: readFileSync(join(parentPath, name)) }));
const html = readFileSync(join(built, 'index.html'), 'utf8');

describe('the live page as it is built', () => {
  it('is smaller than 60 kB in all', () => {
    const total = files.reduce((sum, { bytes }) => sum + gzipSync(bytes, { level: 9 }).length, 0);
    expect(total).toBeGreaterThan(5_000);
    expect(total).toBeLessThan(LIMIT);
  });

  it('asks for nothing but its own files, whose names change with their content', () => {
    const addresses = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, address]) => address);
    expect(addresses.length).toBeGreaterThanOrEqual(3);
    for (const address of addresses) {
      expect(address).toMatch(/^\/ops\/assets\/[\w-]+-[\w-]{8}\.(js|css|svg)$/);
      expect(files.map(({ name }) => name)).toContain(address.split('/').at(-1));
    }
  });

  it('names no other host anywhere', () => {
    // Names of XML vocabularies look like addresses and are never asked for.
    const vocabularies = /^https?:\/\/www\.w3\.org\//;
    const hosts = files.flatMap(({ bytes }) => [
      ...bytes.toString('utf8').matchAll(/\b(?:https?|wss?):\/\/[^\s"'`)]+/g),
    ]);
    expect(hosts.map(([address]) => address).filter((address) => !vocabularies.test(address))).toEqual([]);
  });

  it('has no script, style or handler inline, which its policy would refuse', () => {
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)/);
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=/);
  });
});
