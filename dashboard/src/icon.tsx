import type { JSX } from 'preact';

export type IconName = 'good' | 'warn' | 'bad' | 'unknown' | 'sun' | 'moon' | 'system';

/** Shapes differ as much as colours do: who sees no red sees a cross. */
const SHAPES: Readonly<Record<IconName, JSX.Element>> = {
  good: (
    <>
      <circle cx="8" cy="8" r="7" />
      <path d="m4.8 8.3 2.2 2.2 4.3-4.6" class="cut" />
    </>
  ),
  warn: (
    <>
      <path d="M8 1.2 15.4 14.4H.6z" />
      <path d="M8 6v4M8 12.1v.1" class="cut" />
    </>
  ),
  bad: (
    <>
      <path d="M5 1h6l4 4v6l-4 4H5l-4-4V5z" />
      <path d="m5.4 5.4 5.2 5.2m0-5.2-5.2 5.2" class="cut" />
    </>
  ),
  unknown: (
    <>
      <circle cx="8" cy="8" r="6.2" class="line" />
      <path d="M6.1 6.3c.2-2 3.9-2 3.9.2 0 1.4-2 1.4-2 3M8 11.8v.1" class="line" />
    </>
  ),
  sun: (
    <>
      <circle cx="8" cy="8" r="3" class="line" />
      <path
        d="M8 1v1.6M8 13.4V15M1 8h1.6M13.4 8H15M3 3l1.2 1.2M11.8 11.8 13 13M13 3l-1.2 1.2M4.2 11.8 3 13"
        class="line"
      />
    </>
  ),
  moon: <path d="M13.5 9.8A6 6 0 0 1 6.2 2.5a6 6 0 1 0 7.3 7.3z" class="line" />,
  system: (
    <>
      <circle cx="8" cy="8" r="6" class="line" />
      <path d="M8 2a6 6 0 0 1 0 12z" />
    </>
  ),
};

/** A picture that says nothing by itself: the words stand beside it. */
export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class={`icon icon-${name}`} viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      {SHAPES[name]}
    </svg>
  );
}
