import { useEffect, useState } from 'preact/hooks';
import { get, told } from './api';
import type { Action, Ending } from './contract';
import { count, moment, words } from './format';
import type { IconName } from './icon';
import { Status } from './status';

const LEVELS: Readonly<Record<Ending, IconName>> = { running: 'unknown', done: 'good', failed: 'bad' };

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
                    <Outcome action={action} />
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

/** A sign-in that was refused is recorded like one that was not; only its name says which. */
function Outcome({ action: { action, state, error_code: code } }: { readonly action: Action }) {
  if (action === 'failed_login') return <Status level="warn">refused</Status>;
  return (
    <Status level={LEVELS[state]}>
      {state}
      {code !== null && (
        <>
          {' '}
          <code>{code}</code>
        </>
      )}
    </Status>
  );
}
