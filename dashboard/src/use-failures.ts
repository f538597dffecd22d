import { useEffect, useRef, useState } from 'preact/hooks';
import { get, told } from './api';
import type { FailureGroup, State } from './contract';

/** Groups are counted in the database: not more often than this, ms. */
const APART = 4_000;

/** The groups as of the last look; a new look is taken whenever the state says that they have changed. */
export function useFailures(state: State): {
  readonly groups: readonly FailureGroup[] | null;
  readonly problem: string | null;
  readonly refresh: () => void;
} {
  const [groups, setGroups] = useState<readonly FailureGroup[] | null>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const [asked, setAsked] = useState(0);
  const lastLook = useRef(0);

  const { open_dead_letters: open } = state.totals;
  const progress = state.actions.map(({ action_id, state: how, done }) => `${action_id} ${how} ${done}`).join();
  useEffect(() => {
    if (open === null) {
      setProblem('the database does not answer');
      return undefined;
    }
    let superseded = false;
    const look = () => {
      lastLook.current = Date.now();
      get<{ groups: FailureGroup[] }>('/failures')
        .then((answer) => {
          if (superseded) return;
          setGroups(answer.groups);
          setProblem(null);
        })
        .catch((error: unknown) => {
          if (!superseded) setProblem(told(error));
        });
    };
    const timer = setTimeout(look, Math.max(0, lastLook.current + APART - Date.now()));
    return () => {
      superseded = true;
      clearTimeout(timer);
    };
  }, [open, progress, asked]);

  const refresh = () => {
    lastLook.current = 0;
    setAsked(asked + 1);
  };
  return { groups, problem, refresh };
}
