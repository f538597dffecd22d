/** What this browser remembers between two visits: no key, no figure, no id. */

/** Light, dark, or what the system prefers. */
export type Theme = 'system' | 'light' | 'dark';

const THEME = 'friendship-ops-theme';
const OPERATOR = 'friendship-ops-operator';

export function rememberedTheme(): Theme {
  const theme = read(THEME);
  return theme === 'light' || theme === 'dark' ? theme : 'system';
}

/** Shows a theme and remembers it. */
export function applyTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  write(THEME, theme === 'system' ? null : theme);
}

/** Who signed in here last and has not signed out; null: the page asks for a key at once. */
export function rememberedOperator(): string | null {
  return read(OPERATOR);
}

export function rememberOperator(operator: string | null): void {
  write(OPERATOR, operator);
}

/** A browser may refuse to remember; then it does not. */
function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // see read
  }
}
