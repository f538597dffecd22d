import { useEffect, useState } from 'preact/hooks';
import { send } from './api';
import type { State } from './contract';
import { Dashboard } from './dashboard';
import { follow, type Connection } from './live';
import { rememberedOperator, rememberOperator } from './remembered';
import { SignIn } from './sign-in';

/** Who is here decides what is shown: a form for the key, or the state of the service. */
export function Page() {
  const [operator, setOperator] = useState(rememberedOperator());
  const [expired, setExpired] = useState(false);
  const remember = (name: string | null) => {
    rememberOperator(name);
    setOperator(name);
  };
  if (operator === null)
    return (
      <SignIn
        expired={expired}
        onSignedIn={(name) => {
          setExpired(false);
          remember(name);
        }}
      />
    );
  return (
    <Live
      operator={operator}
      onSignedOut={() => {
        setExpired(true);
        remember(null);
      }}
      onSignOut={() => {
        void send('DELETE', '/session').finally(() => remember(null));
      }}
    />
  );
}

interface LiveProps {
  readonly operator: string;
  readonly onSignedOut: () => void;
  readonly onSignOut: () => void;
}

function Live({ operator, onSignedOut, onSignOut }: LiveProps) {
  const [state, setState] = useState<State | null>(null);
  const [connection, setConnection] = useState<Connection>({ kind: 'connecting' });
  useEffect(() => follow({ state: setState, connection: setConnection, signedOut: onSignedOut }), []);
  return <Dashboard state={state} connection={connection} operator={operator} onSignOut={onSignOut} />;
}
