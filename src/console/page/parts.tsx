/** The small parts that the views are made of. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { ErrorAnswer } from '../api.ts';
import { ApiError } from './api.ts';

/** The time, anew each second while something shows it. */
export function useNow(everyMs = 1000): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** The words of whatever was thrown. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof ApiError) return error.answer;
  return {
    code: 'Page',
    message: error instanceof Error ? error.message : 'something went wrong',
    hint: 'load the page again',
  };
}

/** A failure: what is wrong, what to do about it, and its code. */
export function Failure({ error }: { error: ErrorAnswer }): JSX.Element {
  return (
    <div class="notice bad" role="alert">
      <p class="what">{sentence(error.message)}</p>
      {error.hint !== undefined && (
        <p>
          <b>What to do:</b> {error.hint}.
        </p>
      )}
      <p class="code">{error.code}</p>
    </div>
  );
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

export function Notice({
  kind,
  children,
}: {
  kind: 'info' | 'warn' | 'bad';
  children: ComponentChildren;
}): JSX.Element {
  return <div class={`notice ${kind}`}>{children}</div>;
}

export function Card({
  title,
  aside,
  children,
}: {
  title: string;
  aside?: ComponentChildren;
  children: ComponentChildren;
}): JSX.Element {
  const id = useId();
  return (
    <section class="card" aria-labelledby={id}>
      <header>
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** A label, its field, what it is for, and what is wrong with what is in it. */
export function Field({
  label,
  hint,
  problem,
  children,
}: {
  label: string;
  hint?: ComponentChildren;
  problem?: string | undefined;
  children: (ids: { id: string; 'aria-describedby': string; 'aria-invalid': boolean }) => JSX.Element;
}): JSX.Element {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {children({ id, 'aria-describedby': `${id}-hint`, 'aria-invalid': problem !== undefined })}
      <p id={`${id}-hint`} class={problem === undefined ? 'hint' : 'hint problem'}>
        {problem ?? hint}
      </p>
    </div>
  );
}

/** Copies a text, and says so for a moment. */
export function Copy({ text, label, name }: { text: () => string; label?: string; name: string }): JSX.Element {
  const [said, setSaid] = useState('');
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text());
      setSaid('Copied');
    } catch {
      setSaid('Not copied');
    }
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setSaid(''), 2500);
  };
  return (
    <button
      type="button"
      class="small"
      onClick={() => void copy()}
      aria-label={label === undefined ? `Copy ${name}` : `${label}: ${name}`}
    >
      <span aria-live="polite">{said === '' ? (label ?? 'Copy') : said}</span>
    </button>
  );
}

/** A list of facts. */
export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }): JSX.Element {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A stretch of time with a mark for now, and others. The words say the same as the drawing. */
export function TimeBar({
  from,
  to,
  now,
  marks = [],
  kind = 'good',
  label,
}: {
  from: number;
  to: number;
  now: number;
  marks?: readonly { at: number; name: string }[];
  kind?: string;
  label: string;
}): JSX.Element {
  const part = (at: number): number => Math.min(1, Math.max(0, (at - from) / Math.max(1, to - from)));
  return (
    <div class={`timebar ${kind}`} role="img" aria-label={label}>
      <div class="track">
        <div class="gone" style={{ width: `${part(now) * 100}%` }} />
        {marks.map(({ at, name }) => (
          <div key={name} class="mark" style={{ left: `${part(at) * 100}%` }} title={name} />
        ))}
        <div class="now" style={{ left: `${part(now) * 100}%` }} />
      </div>
    </div>
  );
}
