/** The page: locked or open, and the four views. */
import { render } from 'preact';
import type { JSX } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { SessionAnswer } from '../api.ts';
import { ActivityView } from './activity.tsx';
import { ApiError, api } from './api.ts';
import { CredentialsView } from './credentials.tsx';
import { HealthView } from './health.tsx';
import { IdentityView } from './identity.tsx';
import { errorAnswer, useNow } from './parts.tsx';
import { useOverview, useTold } from './store.ts';
import { countdown, nearness, duration } from './text.ts';
import { Unlock } from './unlock.tsx';
import type { WhyLocked } from './unlock.tsx';

const VIEWS = [
  ['credentials', 'Get credentials'],
  ['identity', 'Identity'],
  ['activity', 'Activity'],
  ['health', 'Health'],
] as const;
type View = (typeof VIEWS)[number][0];

const THEMES = ['auto', 'light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

/** The code of a link, which leaves the address bar, and the history, at once. */
function takeCode(): string | undefined {
  const fragment = location.hash.slice(1);
  if (fragment === '' || fragment.startsWith('/')) return undefined;
  history.replaceState(null, '', location.pathname);
  return fragment;
}

function viewOfAddress(): View {
  const name = location.hash.replace(/^#\//, '');
  return VIEWS.find(([view]) => view === name)?.[0] ?? 'credentials';
}

function App(): JSX.Element {
  const [session, setSession] = useState<SessionAnswer | undefined>(undefined);
  const [why, setWhy] = useState<WhyLocked>({ kind: 'asking' });
  const [theme, setTheme] = useState<Theme>('auto');

  const lockedBy = (error: unknown): void => {
    setSession(undefined);
    const answer = errorAnswer(error);
    if (error instanceof ApiError && error.status === 401)
      setWhy({ kind: 'locked', passphrase: answer.passphrase === true });
    else setWhy({ kind: 'failed', error: answer });
  };
  const open = (answer: SessionAnswer): void => {
    setSession(answer);
    setWhy({ kind: 'locked', passphrase: false });
  };
  const askAgain = (note?: string): void => {
    setSession(undefined);
    api.session().then(open, (error: unknown) => {
      if (error instanceof ApiError && error.status === 401)
        setWhy({ kind: 'locked', passphrase: error.answer.passphrase === true, note });
      else lockedBy(error);
    });
  };
  useEffect(() => {
    const begin = (): void => {
      const code = takeCode();
      if (code === undefined) return;
      api.unlock({ code }).then(open, (error: unknown) =>
        // A passphrase may still do.
        api.session().then(open, (locked: unknown) => {
          const passphrase = locked instanceof ApiError && locked.answer.passphrase === true;
          setSession(undefined);
          setWhy({ kind: 'locked', passphrase, error: errorAnswer(error) });
        }),
      );
    };
    if (location.hash.length > 1 && !location.hash.startsWith('#/')) begin();
    else askAgain();
    addEventListener('hashchange', begin);
    return () => removeEventListener('hashchange', begin);
  }, []);
  useEffect(() => {
    if (theme === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = theme;
  }, [theme]);

  const themeButton = (
    <button
      type="button"
      class="quiet"
      onClick={() => setTheme(THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'auto')}
      aria-label={`Theme: ${theme}. Change it`}
    >
      <span aria-hidden="true">{theme === 'auto' ? '◐' : theme === 'light' ? '☀' : '☾'}</span>
    </button>
  );
  if (session === undefined) return <Unlock why={why} onOpen={open} onFailed={setWhy} corner={themeButton} />;
  return <Open key={session.csrf} session={session} onLocked={askAgain} themeButton={themeButton} theme={theme} />;
}

function Open({
  session,
  onLocked,
  themeButton,
  theme,
}: {
  session: SessionAnswer;
  onLocked: (note?: string) => void;
  themeButton: JSX.Element;
  theme: Theme;
}): JSX.Element {
  const [view, setView] = useState<View>(viewOfAddress());
  const [end, setEnd] = useState(Date.now() + session.idleMs);
  const [overview, reload] = useOverview(() => onLocked('The session was over.'));
  const told = useTold(reload, (restarted) =>
    onLocked(
      restarted
        ? 'The session is over: serve was started anew, or the time without use was up.'
        : 'The console was locked.',
    ),
  );
  const main = useRef<HTMLElement>(null);
  const skew = useRef(0);
  const now = useNow() + skew.current;
  useEffect(() => {
    if (overview !== undefined) skew.current = Date.parse(overview.now) - Date.now();
  }, [overview]);
  // What a person does keeps the session, not the page by itself.
  useEffect(() => {
    let last = Date.now();
    const stay = (): void => {
      if (Date.now() - last < 60_000) return;
      last = Date.now();
      api.session().then(
        ({ idleMs }) => setEnd(Date.now() + idleMs),
        () => undefined,
      );
    };
    for (const event of ['pointerdown', 'keydown']) addEventListener(event, stay);
    return () => {
      for (const event of ['pointerdown', 'keydown']) removeEventListener(event, stay);
    };
  }, []);
  useEffect(() => {
    const move = (): void => {
      if (location.hash.startsWith('#/') || location.hash === '') setView(viewOfAddress());
    };
    addEventListener('hashchange', move);
    return () => removeEventListener('hashchange', move);
  }, []);
  const title = VIEWS.find(([name]) => name === view)?.[1] ?? '';
  useEffect(() => {
    document.title = `${title} – Roles Anywhere`;
  }, [title]);
  const lock = (): void => {
    api.lock().then(
      () => onLocked('Locked.'),
      () => onLocked(),
    );
  };
  const left = (end - Date.now()) / 1000;
  const near = overview === undefined ? 'good' : nearness(overview.identity.notAfter, now);
  return (
    <div class="app">
      <header class="top">
        <a class="brand" href="#/credentials">
          <img src="/console/icon.svg" alt="" width="28" height="28" />
          <span>Roles Anywhere</span>
        </a>
        <nav aria-label="Views">
          {VIEWS.map(([name, label]) => (
            <a key={name} href={`#/${name}`} aria-current={name === view ? 'page' : undefined}>
              {label}
            </a>
          ))}
        </nav>
        <div class="tools">
          <span class={`link ${told.link}`} role="status">
            {told.link === 'live' ? 'Live' : told.link === 'lost' ? 'Not connected' : 'Connecting'}
          </span>
          {themeButton}
          <button type="button" class="quiet" onClick={lock} title={`Locks itself in ${countdown(left)} without use`}>
            Lock
          </button>
        </div>
      </header>
      <main ref={main} id="main" tabIndex={-1}>
        <h1>{title}</h1>
        {told.link === 'lost' && (
          <div class="notice warn" role="alert">
            <p class="what">The server does not answer.</p>
            <p>
              What is shown is from before. The page tries again by itself; when serve is back, unlock it with its new
              link.
            </p>
          </div>
        )}
        {left < 120 && left > 0 && (
          <div class="notice warn" role="status">
            The console locks itself in {countdown(left)} unless you do something here.
          </div>
        )}
        {overview !== undefined && near !== 'good' && view !== 'identity' && (
          <div class={`notice ${near === 'month' ? 'info' : near === 'week' ? 'warn' : 'bad'}`}>
            {near === 'over'
              ? 'The certificate has expired: nothing new can be issued with it.'
              : `The certificate ends in ${duration((Date.parse(overview.identity.notAfter) - now) / 1000)}.`}{' '}
            <a href="#/identity">See the identity</a>
          </div>
        )}
        {overview === undefined ? (
          <p class="quietly" role="status">
            Loading …
          </p>
        ) : view === 'credentials' ? null : view === 'identity' ? (
          <IdentityView overview={overview} now={now} />
        ) : view === 'activity' ? (
          <ActivityView told={told} auditLog={overview.auditLog} theme={theme} />
        ) : (
          <HealthView told={told} now={now} />
        )}
        {/* It stays, so that what was issued is still there when one comes back. */}
        {overview !== undefined && (
          <div hidden={view !== 'credentials'}>
            <CredentialsView overview={overview} />
          </div>
        )}
      </main>
      <footer>
        {overview !== undefined && <span>roles-anywhere {overview.version}</span>}
        <span>Everything here comes from this server; nothing is kept in the browser.</span>
      </footer>
    </div>
  );
}

const root = document.getElementById('app');
if (root !== null) render(<App />, root);
