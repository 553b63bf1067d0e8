/** A chart over time. */
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import uPlot from 'uplot';

export interface Series {
  readonly label: string;
  /** The custom property of its colour. */
  readonly color: string;
  readonly values: readonly number[];
}

/** The colour that a custom property means in the theme that is in use. */
function colorOf(property: string, within: Element): string {
  const probe = document.createElement('span');
  probe.style.color = `var(${property})`;
  within.append(probe);
  const { color } = getComputedStyle(probe);
  probe.remove();
  return color;
}

export function Chart({
  times,
  series,
  kind,
  label,
  theme,
  height = 180,
}: {
  times: readonly number[];
  series: readonly Series[];
  kind: 'bars' | 'line';
  label: string;
  /** Drawn anew when it changes. */
  theme: string;
  height?: number;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  // Bars stand on each other: what is drawn first is the sum of all, and the others are drawn over it.
  const drawn = kind === 'bars' ? series.toReversed() : series;
  const data = (): uPlot.AlignedData => [
    [...times],
    ...drawn.map((_, index) =>
      times.map((__, at) =>
        drawn
          .slice(index, kind === 'bars' ? undefined : index + 1)
          .reduce((sum, { values }) => sum + (values[at] ?? 0), 0),
      ),
    ),
  ];
  useEffect(() => {
    const place = box.current;
    if (place === null) return undefined;
    const draw = (): void => {
      plot.current?.destroy();
      const [ink, line] = [colorOf('--quiet', place), colorOf('--line', place)];
      const axis = {
        stroke: ink,
        grid: { stroke: line, width: 1 },
        ticks: { stroke: line, width: 1 },
        font: '12px system-ui, sans-serif',
      };
      plot.current = new uPlot(
        {
          width: Math.max(200, place.clientWidth),
          height,
          legend: { show: false },
          cursor: { show: false },
          scales: {
            x: { time: true, range: (_self, min, max) => [min - 60, max + 60] },
            y: { range: (_self, _min, max) => [0, Math.max(4, max * 1.1)] },
          },
          axes: [
            {
              ...axis,
              values: (_self, ticks) =>
                ticks.map((tick) =>
                  new Date(tick * 1000).toLocaleTimeString(undefined, { hour: 'numeric', minute: '2-digit' }),
                ),
              space: 70,
            },
            {
              ...axis,
              size: 44,
              // Counts are whole.
              values: (_self, ticks) => ticks.map((tick) => (Number.isInteger(tick) ? tick.toLocaleString() : '')),
            },
          ],
          series: [
            {},
            ...drawn.map(({ label: name, color }): uPlot.Series => {
              const own = colorOf(color, place);
              const paths = kind === 'bars' ? uPlot.paths.bars?.({ size: [0.75, 16] }) : uPlot.paths.linear?.();
              const one: uPlot.Series = {
                label: name,
                stroke: own,
                fill: kind === 'bars' ? own : own.replace(/^rgb\((.*)\)$/, 'rgba($1, 0.15)'),
                width: kind === 'bars' ? 0 : 2,
                points: { show: false },
              };
              if (paths !== undefined) one.paths = paths;
              return one;
            }),
          ],
        },
        data(),
        place,
      );
    };
    draw();
    const resized = new ResizeObserver(() =>
      plot.current?.setSize({ width: Math.max(200, place.clientWidth), height }),
    );
    resized.observe(place);
    const scheme = matchMedia('(prefers-color-scheme: dark)');
    scheme.addEventListener('change', draw);
    return () => {
      resized.disconnect();
      scheme.removeEventListener('change', draw);
      plot.current?.destroy();
      plot.current = undefined;
    };
  }, [theme, series.length]);
  useEffect(() => plot.current?.setData(data()), [times, series]);
  return (
    <figure class="chart">
      <figcaption>
        {series.map(({ label: name, color, values }) => (
          <span key={name}>
            <i style={{ background: `var(${color})` }} aria-hidden="true" /> {name}{' '}
            <b>{values.reduce((sum, value) => sum + value, 0).toLocaleString()}</b>
          </span>
        ))}
      </figcaption>
      <div ref={box} role="img" aria-label={label} />
    </figure>
  );
}
