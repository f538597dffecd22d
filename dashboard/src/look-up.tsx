import { useEffect, useRef, useState } from 'preact/hooks';
import { get, told } from './api';
import { ChildStatus } from './child-status';
import type { Child, Story } from './contract';
import { EventStory } from './event-story';
import { Status } from './status';

/** What somebody wants to see, by its id. */
export interface Wanted {
  readonly kind: 'event' | 'child';
  readonly id: string;
}

interface LookUpProps {
  /** From another part of the page; it fills the form and is fetched. */
  readonly wanted: Wanted | null;
  readonly onWanted: (wanted: Wanted) => void;
}

type Found = { readonly kind: 'event'; readonly story: Story } | { readonly kind: 'child'; readonly child: Child };

/** One event's story, or one child's status: by id, and never what was said. */
export function LookUp({ wanted, onWanted }: LookUpProps) {
  const section = useRef<HTMLElement>(null);
  const [found, setFound] = useState<Found | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);

  useEffect(() => {
    if (wanted === null) return undefined;
    let superseded = false;
    setBusy(true);
    setProblem(null);
    section.current?.scrollIntoView({ block: 'start' });
    fetchWanted(wanted)
      .then((answer) => {
        if (!superseded) setFound(answer);
      })
      .catch((error: unknown) => {
        if (superseded) return;
        setFound(null);
        setProblem(told(error));
      })
      .finally(() => {
        if (!superseded) setBusy(false);
      });
    return () => {
      superseded = true;
    };
  }, [wanted]);

  return (
    <section id="look-up" class="card" aria-labelledby="look-up-name" ref={section}>
      <h2 id="look-up-name">Look up</h2>
      <div class="forms">
        <IdForm kind="event" label="Event, by conversation id" wanted={wanted} onWanted={onWanted} />
        <IdForm kind="child" label="Child, by user id" wanted={wanted} onWanted={onWanted} />
      </div>
      <div aria-live="polite" aria-busy={busy} class="found">
        {problem !== null && <Status level="unknown">{problem}</Status>}
        {found?.kind === 'event' && (
          <EventStory story={found.story} onChild={(id) => onWanted({ kind: 'child', id })} />
        )}
        {found?.kind === 'child' && (
          <ChildStatus child={found.child} onEvent={(id) => onWanted({ kind: 'event', id })} />
        )}
      </div>
    </section>
  );
}

async function fetchWanted({ kind, id }: Wanted): Promise<Found> {
  const name = encodeURIComponent(id);
  return kind === 'event'
    ? { kind, story: await get<Story>(`/conversations/${name}`) }
    : { kind, child: await get<Child>(`/children/${name}`) };
}

interface IdFormProps extends LookUpProps {
  readonly kind: Wanted['kind'];
  readonly label: string;
}

function IdForm({ kind, label, wanted, onWanted }: IdFormProps) {
  const [id, setId] = useState('');
  useEffect(() => {
    if (wanted?.kind === kind) setId(wanted.id);
  }, [wanted]);
  return (
    <form
      class="id-form"
      role="search"
      aria-label={label}
      onSubmit={(event: SubmitEvent) => {
        event.preventDefault();
        onWanted({ kind, id: id.trim() });
      }}
    >
      <label>
        {label}
        <input
          name={kind}
          required
          value={id}
          maxLength={255}
          autocomplete="off"
          spellcheck={false}
          onInput={({ currentTarget }) => setId(currentTarget.value)}
        />
      </label>
      <button type="submit">Show</button>
    </form>
  );
}
