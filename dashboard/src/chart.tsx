import { useEffect, useRef, useState } from 'preact/hooks';
import { clock } from './format';
import { linePath, nearest, sampled, scaleFor, x, y, type Frame } from './scales';

export interface Series {
  readonly name: string;
  /** The class that gives its colour and its dashes. */
  readonly look: 'first' | 'second' | 'third';
  readonly values: readonly (number | null)[];
}

interface ChartProps {
  readonly title: string;
  /** One for each value, oldest first. */
  readonly times: readonly string[];
  readonly series: readonly Series[];
  readonly format: (value: number | null) => string;
  /** What the axis reaches at least. */
  readonly least: number;
  /** Points further apart than this are not joined, ms. */
  readonly gap: number;
}

const HEIGHT = 168;
const ROWS_OF_TABLE = 40;
/** What a chart shows at least, so that a page just opened does not stretch two points over its width: ms. */
const SHORTEST_SPAN = 120_000;

/** Lines over time, with what they are at the pointer (or now) in the legend, and the same as a table. */
export function Chart({ title, times, series, format, least, gap }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [pointed, setPointed] = useState<number | null>(null);

  const at = times.map((time) => Date.parse(time));
  const to = at.at(-1) ?? 0;
  const from = Math.min(at[0] ?? 0, to - SHORTEST_SPAN);
  const highest = Math.max(0, ...series.flatMap(({ values }) => values.filter((value) => value !== null)));
  const scale = scaleFor(highest, least);
  const labels = scale.ticks.map((tick) => format(tick));
  const frame: Frame = {
    left: 8 + 6.6 * Math.max(...labels.map(({ length }) => length)),
    top: 8,
    width: 0,
    height: HEIGHT - 32,
  };
  const inner = { ...frame, width: Math.max(40, width - frame.left - 10) };
  const index = pointed === null ? at.length - 1 : nearest(at, pointed);
  const shown = index >= 0 ? times[index] : undefined;

  const point = (event: PointerEvent) => {
    const { left } = (event.currentTarget as SVGElement).getBoundingClientRect();
    setPointed(from + ((event.clientX - left - inner.left) / inner.width) * (to - from));
  };

  return (
    <figure class="chart">
      <figcaption>
        <span class="chart-title">{title}</span>
        <span class="legend">
          {series.map(({ name, look, values }) => (
            <span key={name} class="key">
              <svg class={`swatch ${look}`} width="18" height="10" aria-hidden="true">
                <path d="M1 5H17" />
              </svg>
              {name} <strong>{format(values[index] ?? null)}</strong>
            </span>
          ))}
          <span class="muted">{pointed === null || shown === undefined ? 'now' : clock(shown)}</span>
        </span>
      </figcaption>
      <div ref={box} class="plot">
        {width > 0 && (
          <svg
            width={width}
            height={HEIGHT}
            role="img"
            aria-label={`${title}, last ten minutes; the figures are in the table below`}
            onPointerMove={point}
            onPointerLeave={() => setPointed(null)}
          >
            {scale.ticks.map((tick, position) => (
              <g key={tick}>
                <path class="grid" d={`M${inner.left} ${y(tick, scale, inner).toFixed(1)}h${inner.width}`} />
                <text class="axis end" x={inner.left - 6} y={y(tick, scale, inner) + 4}>
                  {labels[position]}
                </text>
              </g>
            ))}
            {minutes(from, to, inner.width).map(({ time, label }) => (
              <text key={time} class="axis middle" x={x(time, from, to, inner)} y={HEIGHT - 6}>
                {label}
              </text>
            ))}
            {[...series].reverse().map(({ name, look, values }) => (
              <path
                key={name}
                class={`line ${look}`}
                d={linePath(
                  at.map((time, position) => ({ time, value: values[position] ?? null })),
                  { scale, frame: inner, from, to },
                  gap,
                )}
              />
            ))}
            {pointed !== null && index >= 0 && (
              <path
                class="pointer"
                d={`M${x(at[index] ?? 0, from, to, inner).toFixed(1)} ${inner.top}v${inner.height}`}
              />
            )}
          </svg>
        )}
      </div>
      <details>
        <summary>As a table</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={`${title}, as a table`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                {series.map(({ name }) => (
                  <th scope="col" class="number" key={name}>
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {sampled(
                times.map((time, position) => ({ time, position })),
                ROWS_OF_TABLE,
              ).map(({ time, position }) => (
                <tr key={time}>
                  <td>{clock(time)}</td>
                  {series.map(({ name, values }) => (
                    <td class="number" key={name}>
                      {format(values[position] ?? null)}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

/** Full minutes within a span, as many as there is room for. */
function minutes(from: number, to: number, width: number): { time: number; label: string }[] {
  const room = Math.max(1, Math.floor(width / 74));
  const step = [1, 2, 5, 10].find((candidate) => (to - from) / 60_000 / candidate <= room) ?? 10;
  const first = Math.ceil(from / (step * 60_000)) * step * 60_000;
  const labels = [];
  // One that stands at the very edge would be cut off.
  for (let time = first; time <= to; time += step * 60_000)
    if (time - from > (to - from) * 0.03 && to - time > (to - from) * 0.03)
      labels.push({ time, label: clock(new Date(time).toISOString()).slice(0, 5) });
  return labels;
}

/** The width of an element as it is laid out, so that the chart's letters keep their size. */
function useWidth(box: { readonly current: HTMLDivElement | null }): number {
  const [width, setWidth] = useState(0);
  useEffect(() => {
    if (box.current === null) return undefined;
    const observer = new ResizeObserver(([entry]) => setWidth(Math.floor(entry?.contentRect.width ?? 0)));
    observer.observe(box.current);
    return () => observer.disconnect();
  }, []);
  return width;
}
