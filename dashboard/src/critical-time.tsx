import type { Share, State } from './contract';
import { counted, duration, NOT_KNOWN, percent } from './format';
import { isAway } from './known';

const PARTS: Readonly<Record<Share['part'], readonly [name: string, means: string]>> = {
  queue: ['Queue', 'from acceptance until a worker received it'],
  slot: ['Slot', 'received, waiting for one of C places'],
  external: ['External', 'language model, memory service, fetch'],
  database: ['Database', 'load, apply, commit'],
  ack: ['Ack', 'from the commit until the broker was told'],
};

/** How long a conversation takes from acceptance to commit, and where that time goes. */
export function CriticalTime({ state }: { readonly state: State }) {
  const { p50, p95, p99, count, split } = state.critical_time;
  const silent = isAway(state, 'broker');
  const text = silent ? NOT_KNOWN : count === 0 ? 'nothing was completed' : counted(count, 'conversation');
  const total = split.reduce((sum, { mean }) => sum + (mean ?? 0), 0);
  return (
    <section id="critical-time" class="card" aria-labelledby="critical-time-name">
      <div class="row spread">
        <h2 id="critical-time-name">Critical time</h2>
        <p class="muted">from acceptance to commit, last minute, {text}</p>
      </div>
      <div class="critical">
        <dl class="quantiles">
          {(
            [
              ['p50', p50],
              ['p95', p95],
              ['p99', p99],
            ] as const
          ).map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd class={value === null ? 'figure unknown' : 'figure'}>{count === 0 ? '–' : duration(value)}</dd>
            </div>
          ))}
        </dl>
        <div class="split">
          <Bar split={split} total={total} />
          <div class="wide-table">
            <table>
              <caption class="unseen">Where the time goes</caption>
              <thead>
                <tr>
                  <th scope="col">Part</th>
                  <th scope="col" class="number">
                    mean
                  </th>
                  <th scope="col" class="number">
                    share
                  </th>
                  <th scope="col" class="number">
                    p95
                  </th>
                </tr>
              </thead>
              <tbody>
                {split.map(({ part, mean, p95: slow }) => (
                  <tr key={part}>
                    <th scope="row">
                      <svg class={`dot ${part}`} width="10" height="10" aria-hidden="true">
                        <rect width="10" height="10" rx="2" />
                      </svg>{' '}
                      {PARTS[part][0]} <span class="muted means">{PARTS[part][1]}</span>
                    </th>
                    <td class="number">{mean === null ? '–' : duration(mean)}</td>
                    <td class="number">{mean === null || total === 0 ? '–' : percent(mean / total)}</td>
                    <td class="number">{slow === null ? '–' : duration(slow)}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </div>
      </div>
    </section>
  );
}

/** The means side by side. The table below it holds the same. */
function Bar({ split, total }: { readonly split: readonly Share[]; readonly total: number }) {
  let before = 0;
  return (
    <svg class="stack" role="img" aria-label="Shares of the mean critical time; the figures are in the table below">
      <rect class="track" width="100%" height="100%" />
      {total > 0 &&
        split.map(({ part, mean }) => {
          const start = before;
          before += ((mean ?? 0) / total) * 100;
          return <rect key={part} class={part} x={`${start}%`} width={`${before - start}%`} height="100%" />;
        })}
    </svg>
  );
}
