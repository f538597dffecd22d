import type { ComponentChildren } from 'preact';
import { Icon, type IconName } from './icon';

/** A state as an icon and words, in a colour. */
export function Status({ level, children }: { readonly level: IconName; readonly children: ComponentChildren }) {
  return (
    <span class={`status ${level}`}>
      <Icon name={level} />
      <span>{children}</span>
    </span>
  );
}
