/** The locked page. */
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ErrorAnswer, SessionAnswer } from '../api.ts';
import { ApiError, api } from './api.ts';
import { Failure, Field, errorAnswer, useNow } from './parts.tsx';
import { countdown } from './text.ts';

export type WhyLocked =
  | { readonly kind: 'asking' }
  | {
      readonly kind: 'locked';
      readonly passphrase: boolean;
      readonly note?: string | undefined;
      readonly error?: ErrorAnswer | undefined;
    }
  | { readonly kind: 'failed'; readonly error: ErrorAnswer };

export function Unlock({
  why,
  onOpen,
  onFailed,
  corner,
}: {
  why: WhyLocked;
  onOpen: (session: SessionAnswer) => void;
  onFailed: (why: WhyLocked) => void;
  corner: ComponentChildren;
}): JSX.Element {
  const [waitUntil, setWaitUntil] = useState(0);
  const [busy, setBusy] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const now = useNow();
  const error = why.kind === 'asking' ? undefined : why.error;
  useEffect(() => {
    if (error?.waitMs !== undefined) setWaitUntil(Date.now() + error.waitMs);
  }, [error]);
  const left = (waitUntil - now) / 1000;
  useEffect(() => {
    document.title = 'Locked – Roles Anywhere';
  }, []);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    const field = input.current;
    if (field === null || busy) return;
    setBusy(true);
    const passphrase = field.value;
    field.value = '';
    try {
      onOpen(await api.unlock({ passphrase }));
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 0) onFailed({ kind: 'failed', error: failure.answer });
      else onFailed({ kind: 'locked', passphrase: true, error: errorAnswer(failure) });
      field.focus();
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="unlock">
      <div class="corner">{corner}</div>
      <div class="panel">
        <img src="/console/icon.svg" alt="" width="56" height="56" />
        <h1>Roles Anywhere</h1>
        {why.kind === 'asking' && <p role="status">Looking whether this browser is unlocked …</p>}
        {why.kind === 'locked' && why.note !== undefined && (
          <p class="note" role="status">
            {why.note}
          </p>
        )}
        {error !== undefined && <Failure error={error} />}
        {left > 0 && (
          <p role="timer">
            You can try again in <b>{countdown(left)}</b>.
          </p>
        )}
        {why.kind === 'locked' && why.passphrase && (
          <form onSubmit={(event) => void submit(event)}>
            <Field label="Passphrase" hint="The first line of the file of --console-passphrase-file.">
              {(ids) => (
                <input
                  ref={input}
                  type="password"
                  autocomplete="off"
                  required
                  {...ids}
                  disabled={left > 0}
                  spellcheck={false}
                />
              )}
            </Field>
            <button type="submit" class="primary" disabled={busy || left > 0}>
              Unlock
            </button>
          </form>
        )}
        {why.kind === 'locked' && (
          <p class="quietly">
            {why.passphrase ? 'Or open' : 'Open'} the link that <code>serve --console</code> prints when it starts. It
            is good once, for 5 minutes; <code>SIGHUP</code> makes it print a new one.
          </p>
        )}
        {why.kind === 'failed' && (
          <button type="button" class="primary" onClick={() => location.reload()}>
            Try again
          </button>
        )}
      </div>
    </main>
  );
}
