import { Chart } from './chart';
import type { State } from './contract';
import { count, duration, rate } from './format';
import { ofAllThen } from './known';

/** Three missed points are a gap. */
const GAP_INTERVALS = 3.5;

/** The last ten minutes: what came and what was done, what waits, how long it took. */
export function Traffic({ state }: { readonly state: State }) {
  const { history } = state;
  const times = history.map(({ at }) => at);
  const gap = GAP_INTERVALS * state.interval_seconds * 1000;
  return (
    <section class="charts" aria-label="The last ten minutes">
      <div class="card">
        <Chart
          title="Arrival and completion"
          times={times}
          gap={gap}
          series={[
            { name: 'arrive', look: 'first', values: history.map(({ accepted }) => accepted) },
            { name: 'completed', look: 'second', values: history.map((then) => ofAllThen(then, then.settled)) },
          ]}
          format={rate}
          least={4}
        />
      </div>
      <div class="card">
        <Chart
          title="Messages"
          times={times}
          gap={gap}
          series={[
            { name: 'waiting', look: 'first', values: history.map(({ ready }) => ready) },
            { name: 'in flight', look: 'second', values: history.map((then) => ofAllThen(then, then.in_flight)) },
          ]}
          format={count}
          least={4}
        />
      </div>
      <div class="card">
        <Chart
          title="Critical time"
          times={times}
          gap={gap}
          series={[
            { name: 'p99', look: 'first', values: history.map(({ p99 }) => p99) },
            { name: 'p50', look: 'second', values: history.map(({ p50 }) => p50) },
          ]}
          format={duration}
          least={0.04}
        />
      </div>
    </section>
  );
}
