import { useEffect, useState } from 'preact/hooks';
import { get, told } from './api';
import type { FailureGroup, Letter } from './contract';
import type { Target } from './confirm-action';
import { count, moment } from './format';
import { Status } from './status';

interface LettersProps {
  readonly group: FailureGroup;
  readonly onAsk: (action: 'replay' | 'discard', target: Target) => void;
  readonly onEvent: (conversationId: string) => void;
}

interface PageOfLetters {
  readonly letters: readonly Letter[];
  readonly next_cursor: string | null;
}

const PAGE = 20;

/** The single dead letters of a cause. */
export function Letters({ group, onAsk, onEvent }: LettersProps) {
  const [letters, setLetters] = useState<readonly Letter[]>([]);
  const [cursor, setCursor] = useState<string | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const now = new Date();

  const load = (after: string | null) => {
    const query = new URLSearchParams({ reason: group.reason, limit: String(PAGE) });
    if (group.error_code !== null) query.set('error_code', group.error_code);
    if (after !== null) query.set('cursor', after);
    get<PageOfLetters>(`/failures/letters?${query}`)
      .then((page) => {
        setLetters((known) => (after === null ? page.letters : [...known, ...page.letters]));
        setCursor(page.next_cursor);
        setProblem(null);
      })
      .catch((error: unknown) => setProblem(told(error)));
  };
  useEffect(() => load(null), [group.count, group.last_at]);

  const target = (letter: Letter): Target => ({
    name: letter.conversation_id ?? `dead letter ${letter.dead_letter_id}`,
    count: 1,
    replayable: 1,
    body: { dead_letter_ids: [letter.dead_letter_id] },
  });
  return (
    <div class="letters">
      {problem !== null && <Status level="unknown">Not known: {problem}</Status>}
      <div class="wide-table" tabIndex={0} role="region" aria-label="Single dead letters">
        <table>
          <thead>
            <tr>
              <th scope="col">Conversation</th>
              <th scope="col">Failed</th>
              <th scope="col" class="number">
                Attempts
              </th>
              <th scope="col">
                <span class="unseen">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {letters.map((letter) => (
              <tr key={letter.dead_letter_id}>
                <td>
                  {letter.conversation_id === null ? (
                    <span class="muted">none named</span>
                  ) : (
                    <button type="button" class="link id" onClick={() => onEvent(letter.conversation_id ?? '')}>
                      {letter.conversation_id}
                    </button>
                  )}
                </td>
                <td>{moment(letter.last_failed_at, now)}</td>
                <td class="number">{count(letter.attempts)}</td>
                <td class="row end">
                  <button type="button" onClick={() => onAsk('replay', target(letter))}>
                    Replay
                  </button>
                  <button type="button" class="danger" onClick={() => onAsk('discard', target(letter))}>
                    Discard …
                  </button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {cursor !== null && (
        <button type="button" onClick={() => load(cursor)}>
          More
        </button>
      )}
    </div>
  );
}
