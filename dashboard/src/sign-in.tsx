import { useState } from 'preact/hooks';
import { send, told } from './api';
import { Status } from './status';
import { ThemeChoice } from './theme-choice';

interface SignInProps {
  /** There was a session, and it has ended. */
  readonly expired: boolean;
  readonly onSignedIn: (operator: string) => void;
}

/** Asks for the operators' key, and for the name that actions are recorded under. */
export function SignIn({ expired, onSignedIn }: SignInProps) {
  const [problem, setProblem] = useState<string | null>(
    expired ? 'Your session has ended. Please sign in again.' : null,
  );
  const [busy, setBusy] = useState(false);

  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const operator = valueOf(form, 'operator').trim();
    setBusy(true);
    setProblem(null);
    send('POST', '/session', { key: valueOf(form, 'key'), operator })
      .then(() => onSignedIn(operator))
      .catch((error: unknown) => {
        setProblem(told(error));
        setBusy(false);
      });
  };

  return (
    <main class="sign-in">
      <form class="card" onSubmit={submit}>
        <div class="row spread">
          <h1>friendship-service</h1>
          <ThemeChoice />
        </div>
        <p class="muted">The live page, for operators.</p>
        <label>
          Your name
          <input name="operator" required maxLength={64} autocomplete="username" autofocus={true} />
          <small>What you do here is recorded under it.</small>
        </label>
        <label>
          Operator key
          <input name="key" type="password" required autocomplete="current-password" />
        </label>
        <div role="alert">
          {problem !== null && <Status level={expired && !busy ? 'warn' : 'bad'}>{problem}</Status>}
        </div>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}

function valueOf(form: HTMLFormElement, name: 'operator' | 'key'): string {
  return (form.elements.namedItem(name) as HTMLInputElement).value;
}
