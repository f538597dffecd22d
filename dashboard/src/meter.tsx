interface MeterProps {
  /** What is measured. */
  readonly label: string;
  readonly value: number | null;
  readonly max: number | null;
  /** Share from which it is drawn as a warning; none by default, since full use is what is wanted of most things. */
  readonly warnAt?: number;
}

/** How much of a limit is used. The figures stand beside it as text. */
export function Meter({ label, value, max, warnAt = Infinity }: MeterProps) {
  const known = value !== null && max !== null && max > 0;
  const share = known ? Math.min(1, value / max) : 0;
  const reading = known
    ? { 'aria-valuemin': 0, 'aria-valuemax': max, 'aria-valuenow': Math.min(value, max) }
    : { 'aria-valuenow': 0, 'aria-valuetext': 'not known' };
  return (
    <svg class="meter" role="meter" aria-label={label} {...reading}>
      <rect class="track" width="100%" height="100%" rx="3" />
      <rect class={share >= warnAt ? 'fill warn' : 'fill'} width={`${share * 100}%`} height="100%" rx="3" />
    </svg>
  );
}
