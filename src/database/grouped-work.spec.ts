import { setImmediate as nextTurn } from 'node:timers/promises';
import { GroupedWork } from './grouped-work';

/** Work whose groups end when the test says so. */
function controlledWork() {
  const groups: { items: readonly string[]; end: (results?: readonly string[]) => void; fail: (e: Error) => void }[] =
    [];
  const work = (items: readonly string[]) =>
    new Promise<readonly string[]>((resolve, reject) => {
      groups.push({ items, end: (results = items.map((item) => `${item} done`)) => resolve(results), fail: reject });
    });
  return { groups, work };
}

describe('grouped work', () => {
  it('does a lone item at once', async () => {
    const { groups, work } = controlledWork();
    const done = new GroupedWork('group', work, 10).do('a');
    await nextTurn();
    expect(groups.map(({ items }) => items)).toEqual([['a']]);
    groups[0].end();
    await expect(done).resolves.toBe('a done');
  });

  it('puts together what comes in one turn of the event loop, up to the largest group', async () => {
    const { groups, work } = controlledWork();
    const grouped = new GroupedWork('group', work, 2);
    const done = Promise.all(['a', 'b', 'c'].map((item) => grouped.do(item)));
    await nextTurn();
    expect(groups.map(({ items }) => items)).toEqual([['a', 'b'], ['c']]);
    groups.forEach((group) => group.end());
    await expect(done).resolves.toEqual(['a done', 'b done', 'c done']);
  });

  it('collects what comes while two groups are under way, for the next one', async () => {
    const { groups, work } = controlledWork();
    const grouped = new GroupedWork('group', work, 10);
    const first = grouped.do('a');
    await nextTurn();
    const second = grouped.do('b');
    await nextTurn();
    const others = ['c', 'd', 'e'].map((item) => grouped.do(item));
    await nextTurn();
    expect(groups.map(({ items }) => items)).toEqual([['a'], ['b']]);
    groups[1].end();
    await second;
    await nextTurn();
    expect(groups.map(({ items }) => items)).toEqual([['a'], ['b'], ['c', 'd', 'e']]);
    groups[0].end();
    groups[2].end();
    await Promise.all([first, ...others]);
  });

  it('splits a group that fails until the guilty item stands alone', async () => {
    const groups: string[] = [];
    const grouped = new GroupedWork<string, string>(
      'group',
      (items) => {
        groups.push(items.join(''));
        if (items.includes('e')) return Promise.reject(new Error('e is guilty'));
        return Promise.resolve(items.map((item) => `${item} done`));
      },
      10,
    );
    const results = await Promise.allSettled(['a', 'b', 'c', 'd', 'e', 'f'].map((item) => grouped.do(item)));
    expect(results.map((result) => (result.status === 'fulfilled' ? result.value : String(result.reason)))).toEqual([
      'a done',
      'b done',
      'c done',
      'd done',
      'Error: e is guilty',
      'f done',
    ]);
    expect(groups).toEqual(['abcdef', 'abc', 'def', 'de', 'd', 'e', 'f']);
  });

  it('tells everybody at once that the database is away, and goes on afterwards', async () => {
    let attempts = 0;
    const grouped = new GroupedWork<string, string>(
      'group',
      (items) => {
        if (++attempts > 1) return Promise.resolve(items);
        return Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
      },
      10,
    );
    const results = await Promise.allSettled(['a', 'b', 'c'].map((item) => grouped.do(item)));
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    expect(attempts).toBe(1);
    await expect(grouped.do('d')).resolves.toBe('d');
  });
});
