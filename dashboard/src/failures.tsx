import { useState } from 'preact/hooks';
import type { FailureGroup, State } from './contract';
import { ConfirmAction, type Target } from './confirm-action';
import { count, counted, moment, words } from './format';
import { Letters } from './letters';
import { Progress } from './progress';
import { Status } from './status';
import { useFailures } from './use-failures';

interface FailuresProps {
  readonly state: State;
  /** Wants to see one event's story. */
  readonly onEvent: (conversationId: string) => void;
}

/** What an action is about to be done to. */
interface Intent {
  readonly action: 'replay' | 'discard';
  readonly targets: readonly Target[];
}

/** Open dead letters by cause, and what can be done about them. */
export function Failures({ state, onEvent }: FailuresProps) {
  const { groups, problem, refresh } = useFailures(state);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [intent, setIntent] = useState<Intent | null>(null);

  const selected = (groups ?? []).filter((group) => chosen.has(keyOf(group)));
  const choose = (group: FailureGroup, on: boolean) => {
    const next = new Set(chosen);
    if (on) next.add(keyOf(group));
    else next.delete(keyOf(group));
    setChosen(next);
  };
  const ask = (action: Intent['action'], some: readonly FailureGroup[]) => {
    setIntent({ action, targets: some.map(targetOf) });
  };

  return (
    <section id="failures" class="card" aria-labelledby="failures-name">
      <div class="row spread">
        <h2 id="failures-name">Failures</h2>
        <p class="muted">
          {state.totals.open_dead_letters === null
            ? 'open dead letters: not known'
            : `${counted(state.totals.open_dead_letters, 'open dead letter')}, by cause`}
          {(state.backlog.dead_letters_arriving ?? 0) > 0 &&
            `; ${count(state.backlog.dead_letters_arriving)} more on their way`}
        </p>
      </div>
      <Progress actions={state.actions} />
      {problem !== null && <Status level="unknown">Not known: {problem}</Status>}
      {groups?.length === 0 && problem === null && <Status level="good">No conversation waits for a decision</Status>}
      {groups !== null && groups.length > 0 && (
        <>
          <div class="row bulk">
            <label class="check">
              <input
                type="checkbox"
                checked={selected.length === groups.length}
                ref={(box) => {
                  if (box) box.indeterminate = selected.length > 0 && selected.length < groups.length;
                }}
                onChange={({ currentTarget }) => setChosen(new Set(currentTarget.checked ? groups.map(keyOf) : []))}
              />
              All {counted(groups.length, 'cause')}
            </label>
            <button type="button" disabled={selected.length === 0} onClick={() => ask('replay', selected)}>
              Replay selected
            </button>
            <button
              type="button"
              class="danger"
              disabled={selected.length === 0}
              onClick={() => ask('discard', selected)}
            >
              Discard selected …
            </button>
          </div>
          <ul class="causes">
            {groups.map((group) => (
              <Cause
                key={keyOf(group)}
                group={group}
                chosen={chosen.has(keyOf(group))}
                onChosen={(on) => choose(group, on)}
                onAsk={(action, target) => setIntent({ action, targets: [target] })}
                onEvent={onEvent}
              />
            ))}
          </ul>
        </>
      )}
      {intent !== null && (
        <ConfirmAction
          action={intent.action}
          targets={intent.targets}
          onDone={() => {
            setIntent(null);
            setChosen(new Set());
            refresh();
          }}
          onCancel={() => setIntent(null)}
        />
      )}
    </section>
  );
}

interface CauseProps {
  readonly group: FailureGroup;
  readonly chosen: boolean;
  readonly onChosen: (on: boolean) => void;
  readonly onAsk: (action: Intent['action'], target: Target) => void;
  readonly onEvent: (conversationId: string) => void;
}

function Cause({ group, chosen, onChosen, onAsk, onEvent }: CauseProps) {
  const [open, setOpen] = useState(false);
  const now = new Date();
  const name = nameOf(group);
  return (
    <li>
      <div class="cause">
        <input
          type="checkbox"
          aria-label={`Select ${name}`}
          checked={chosen}
          onChange={({ currentTarget }) => onChosen(currentTarget.checked)}
        />
        <div class="cause-text">
          <p>
            <strong>{words(group.reason)}</strong>
            {group.error_code !== null && group.error_code !== group.reason && (
              <>
                {' '}
                <code>{group.error_code}</code>
              </>
            )}
          </p>
          <p class="muted">
            {group.count === 1
              ? moment(group.last_at, now)
              : `${moment(group.first_at, now)} to ${moment(group.last_at, now)}`}
            {group.replayable < group.count && ` · ${count(group.replayable)} can be replayed`}
          </p>
          {group.example_conversation_ids.length > 0 && (
            <p class="examples">
              <span class="muted">such as</span>{' '}
              {group.example_conversation_ids.slice(0, 2).map((id) => (
                <button key={id} type="button" class="link id" onClick={() => onEvent(id)}>
                  {id}
                </button>
              ))}
            </p>
          )}
        </div>
        <p class="figure cause-count">{count(group.count)}</p>
        <div class="row cause-do">
          <button type="button" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? 'Hide' : 'Show'} each
          </button>
          <button
            type="button"
            disabled={group.replayable === 0}
            aria-label={`Replay ${name}`}
            onClick={() => onAsk('replay', targetOf(group))}
          >
            Replay
          </button>
          <button
            type="button"
            class="danger"
            aria-label={`Discard ${name}`}
            onClick={() => onAsk('discard', targetOf(group))}
          >
            Discard …
          </button>
        </div>
      </div>
      {open && <Letters group={group} onAsk={onAsk} onEvent={onEvent} />}
    </li>
  );
}

export function nameOf({ reason, error_code: code }: Pick<FailureGroup, 'reason' | 'error_code'>): string {
  return code === null || code === reason ? words(reason) : `${words(reason)}, ${code}`;
}

function keyOf({ reason, error_code: code }: FailureGroup): string {
  return `${reason} ${code ?? ''}`;
}

function targetOf(group: FailureGroup): Target {
  return {
    name: nameOf(group),
    count: group.count,
    replayable: group.replayable,
    body: { reason: group.reason, error_code: group.error_code },
  };
}
