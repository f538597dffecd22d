import { useEffect, useState } from 'preact/hooks';
import { get, told } from './api';
import type { Action } from './contract';
import { count, moment, words } from './format';
import type { IconName } from './icon';
import { Status } from './status';

const LEVELS: Readonly<Record<Action['state'], IconName>> = { running: 'unknown', done: 'good', failed: 'bad' };

/** What operators did, newest first: as recorded, sign-ins that failed among them. */
export function Actions({ actions }: { readonly actions: readonly Action[] }) {
  const [recorded, setRecorded] = useState<readonly Action[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const news = actions.map(({ action_id, state }) => `${action_id} ${state}`).join();
  useEffect(() => {
    get<{ actions: Action[] }>('/actions')
      .then((answer) => {
        setRecorded(answer.actions);
        setProblem(null);
      })
      .catch((error: unknown) => setProblem(told(error)));
  }, [news]);
  const now = new Date();
  return (
    <section id="actions" class="card" aria-labelledby="actions-name">
      <h2 id="actions-name">Operators’ actions</h2>
      {problem !== null && <Status level="unknown">Not known: {problem}</Status>}
      {recorded?.length === 0 && <p class="muted">None is recorded.</p>}
      {recorded !== null && recorded.length > 0 && (
        <div class="wide-table scroll" tabIndex={0} role="region" aria-labelledby="actions-name">
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Operator</th>
                <th scope="col">Action</th>
                <th scope="col">State</th>
                <th scope="col" class="number">
                  Done
                </th>
              </tr>
            </thead>
            <tbody>
              {recorded.map((action) => (
                <tr key={action.action_id}>
                  <td>{moment(action.at, now)}</td>
                  <td>{action.operator}</td>
                  <td>
                    {words(action.action)} <span class="muted">{action.what}</span>
                  </td>
                  <td>
                    <Status level={LEVELS[action.state]}>{action.state}</Status>
                  </td>
                  <td class="number">{action.total === 0 ? '–' : `${count(action.done)} of ${count(action.total)}`}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
