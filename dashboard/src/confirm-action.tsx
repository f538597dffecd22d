import { useEffect, useRef, useState } from 'preact/hooks';
import { Refusal, send, told } from './api';
import { counted } from './format';
import { Status } from './status';

/** What an action is done to: a whole cause, or single dead letters. */
export interface Target {
  readonly name: string;
  readonly count: number;
  readonly replayable: number;
  /** How the api is told which. */
  readonly body:
    { readonly reason: string; readonly error_code: string | null } | { readonly dead_letter_ids: readonly string[] };
}

interface ConfirmActionProps {
  readonly action: 'replay' | 'discard';
  readonly targets: readonly Target[];
  readonly onDone: () => void;
  readonly onCancel: () => void;
}

const LONGEST_NOTE = 1_000;
/** How long to wait for another action to end, before asking again, ms. */
const ROOM_WAIT = 1_500;

/** Asks before anything happens, and says how much will. A discard wants a reason, since nobody can take it back. */
export function ConfirmAction({ action, targets, onDone, onCancel }: ConfirmActionProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [note, setNote] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [begun, setBegun] = useState<number | null>(null);
  useEffect(() => dialog.current?.showModal(), []);

  const total = targets.reduce((sum, target) => sum + (action === 'replay' ? target.replayable : target.count), 0);
  const left = targets.reduce((sum, target) => sum + target.count, 0) - total;
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    setProblem(null);
    try {
      for (const [index, { body }] of targets.entries()) {
        setBegun(index);
        await whenThereIsRoom(() =>
          send('POST', `/failures/${action}`, action === 'discard' ? { ...body, note: note.trim() } : body),
        );
      }
      onDone();
    } catch (error) {
      setProblem(told(error));
      setBegun(null);
    }
  };

  return (
    <dialog ref={dialog} aria-labelledby="confirm-name" onClose={onCancel}>
      <form onSubmit={(event) => void submit(event)}>
        <h2 id="confirm-name">
          {action === 'replay' ? 'Replay' : 'Discard'} {counted(total, 'dead letter')}?
        </h2>
        <ul class="plain">
          {targets.map(({ name, count }) => (
            <li key={name}>
              {name} <span class="muted">({counted(count, 'letter')})</span>
            </li>
          ))}
        </ul>
        {action === 'replay' ? (
          <p>
            They are queued again and processed as new; none is counted twice.
            {left > 0 && ` ${counted(left, 'letter')} cannot be replayed and stay.`}
          </p>
        ) : (
          <>
            <p>Their conversations will never be counted. This cannot be undone from here.</p>
            <label>
              Why? <small>Recorded with your name.</small>
              <textarea
                name="note"
                required
                maxLength={LONGEST_NOTE}
                rows={3}
                value={note}
                onInput={({ currentTarget }) => setNote(currentTarget.value)}
              />
            </label>
          </>
        )}
        {begun !== null && targets.length > 1 && (
          <p class="muted" role="status">
            {counted(begun, 'cause')} of {targets.length} begun; the service works on a few at a time …
          </p>
        )}
        <div role="alert">{problem !== null && <Status level="bad">{problem}</Status>}</div>
        <div class="row end">
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button
            type="submit"
            class={action === 'replay' ? 'primary' : 'danger strong'}
            disabled={begun !== null || (action === 'discard' && note.trim() === '')}
          >
            {action === 'replay' ? 'Replay' : 'Discard'}
          </button>
        </div>
      </form>
    </dialog>
  );
}

/** The service refuses more than a few actions at once: the rest of a selection waits here. @throws Refusal */
async function whenThereIsRoom(begin: () => Promise<unknown>): Promise<void> {
  for (;;) {
    try {
      await begin();
      return;
    } catch (error) {
      if (!(error instanceof Refusal) || error.status !== 429) throw error;
      await new Promise((resolve) => void setTimeout(resolve, ROOM_WAIT));
    }
  }
}
