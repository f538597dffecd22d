import type { State } from './contract';
import { clock } from './format';
import { Icon, type IconName } from './icon';
import type { Connection } from './live';
import { Status } from './status';
import { ThemeChoice } from './theme-choice';

interface HeaderProps {
  readonly state: State | null;
  readonly connection: Connection;
  readonly operator: string;
  readonly onSignOut: () => void;
}

const PLACES = [
  ['now', 'Now'],
  ['critical-time', 'Latency'],
  ['failures', 'Failures'],
  ['safety', 'Safety'],
  ['workers', 'Processes'],
  ['look-up', 'Look up'],
  ['actions', 'Actions'],
] as const;

/** Which service, whether the figures are current, where things are, who is here. */
export function Header({ state, connection, operator, onSignOut }: HeaderProps) {
  return (
    <header class="top">
      <div class="top-line">
        <span class="brand">
          friendship-service <span class="muted">{state?.version}</span>
        </span>
        <Freshness state={state} connection={connection} />
        <span class="who">
          <span class="muted operator">{operator}</span>
          <ThemeChoice />
          <button type="button" class="quiet" onClick={onSignOut}>
            Sign out
          </button>
        </span>
      </div>
      <nav aria-label="On this page">
        {PLACES.map(([id, name]) => (
          <a key={id} href={`#${id}`}>
            {name}
          </a>
        ))}
      </nav>
    </header>
  );
}

function Freshness({ state, connection }: Pick<HeaderProps, 'state' | 'connection'>) {
  const [level, text] = freshness(state, connection);
  return (
    <span class="freshness">
      {level === null ? (
        <>
          <Icon name="unknown" /> <span>{text}</span>
        </>
      ) : (
        <Status level={level}>{text}</Status>
      )}
    </span>
  );
}

function freshness(state: State | null, connection: Connection): [IconName | null, string] {
  if (connection.kind === 'lost') return ['bad', 'Not current'];
  if (connection.kind === 'connecting' || state === null) return [null, 'Connecting …'];
  return ['good', `Live, as of ${clock(state.at)}`];
}
