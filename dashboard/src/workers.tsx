import type { Instance, State } from './contract';
import { ago, bytes, count, duration, percent, rate } from './format';
import { Status } from './status';

/** Below this a process is heard in time; above it, somebody should wonder. Seconds. */
const SILENT = 6;

/** Every process that was heard of within the last seconds. */
export function Workers({ state }: { readonly state: State }) {
  const now = new Date(state.at);
  const list = [...state.workers.list].sort(
    (a, b) => Number(a.role === 'api') - Number(b.role === 'api') || a.instance.localeCompare(b.instance),
  );
  return (
    <section id="workers" class="card" aria-labelledby="workers-name">
      <div class="row spread">
        <h2 id="workers-name">Processes</h2>
        <p class="muted">{count(list.length)} heard of in the last 10 s</p>
      </div>
      <div class="wide-table" tabIndex={0} role="region" aria-labelledby="workers-name">
        <table class="cards">
          <thead>
            <tr>
              <th scope="col">Process</th>
              <th scope="col">State</th>
              <th scope="col" class="number">
                In flight
              </th>
              <th scope="col" class="number">
                Completes
              </th>
              <th scope="col" class="number">
                CPU
              </th>
              <th scope="col" class="number">
                Loop p99
              </th>
              <th scope="col" class="number">
                Memory
              </th>
              <th scope="col" class="number">
                Connections
              </th>
              <th scope="col" class="number">
                Started
              </th>
            </tr>
          </thead>
          <tbody>
            {list.map((instance) => (
              <Row key={instance.instance} instance={instance} now={now} />
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

function Row({ instance, now }: { readonly instance: Instance; readonly now: Date }) {
  const silent = instance.seen_seconds_ago > SILENT;
  const works = instance.role !== 'api';
  return (
    <tr>
      <th scope="row">
        <span class="id">{instance.instance}</span>{' '}
        <span class="muted">
          {instance.role} {instance.version}
        </span>
      </th>
      <td data-name="State">
        {silent ? (
          <Status level="warn">silent for {duration(instance.seen_seconds_ago)}</Status>
        ) : instance.ready ? (
          <Status level="good">ready</Status>
        ) : (
          <Status level="warn">{instance.reason ?? 'not ready'}</Status>
        )}
      </td>
      <td class="number" data-name="In flight">
        {works ? `${count(instance.in_flight)} / ${count(instance.concurrency)}` : '–'}
      </td>
      <td class="number" data-name="Completes">
        {works ? rate(instance.settled_per_second) : '–'}
      </td>
      <td class="number" data-name="CPU">
        {percent(instance.cpu_share)}
      </td>
      <td class="number" data-name="Loop p99">
        {duration(instance.event_loop_p99_seconds)}
      </td>
      <td class="number" data-name="Memory">
        {bytes(instance.memory_bytes)}
      </td>
      <td class="number" data-name="Connections">
        {count(instance.pool_used)} / {count(instance.pool_size)}
        {instance.pool_waiting > 0 && <span class="warn-text"> +{count(instance.pool_waiting)} wait</span>}
      </td>
      <td class="number" data-name="Started">
        {ago(instance.started_at, now)}
      </td>
    </tr>
  );
}
