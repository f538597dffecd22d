import { useState } from 'preact/hooks';
import { Icon } from './icon';
import { applyTheme, rememberedTheme, type Theme } from './remembered';

const NEXT: Readonly<Record<Theme, Theme>> = { system: 'light', light: 'dark', dark: 'system' };
const NAMES = { system: 'as the system', light: 'light', dark: 'dark' } as const;
const ICONS = { system: 'system', light: 'sun', dark: 'moon' } as const;

/** One button that goes through the three; it says which one holds and what comes next. */
export function ThemeChoice() {
  const [theme, setTheme] = useState(rememberedTheme());
  const next = NEXT[theme];
  return (
    <button
      type="button"
      class="quiet icon-only"
      aria-label={`Colours: ${NAMES[theme]}. Change to ${NAMES[next]}`}
      title={`Colours: ${NAMES[theme]}`}
      onClick={() => {
        applyTheme(next);
        setTheme(next);
      }}
    >
      <Icon name={ICONS[theme]} />
    </button>
  );
}
