/** Getting credentials, and what came of it. */
import type { JSX } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import type { ErrorAnswer, FormName, Issued, Overview } from '../api.ts';
import { api } from './api.ts';
import { Card, Copy, Failure, Field, Notice, TimeBar, errorAnswer, useNow } from './parts.tsx';
import { MAX_POLICY, accountOf, countdown, duration, moment, policyProblem, readDuration, roleName } from './text.ts';

const LEAST = 900;
const MOST = 43_200;
const MOST_CHAINED = 3600;
const STEP = 900;
const USUAL = [900, 3600, 7200, 14_400, 43_200];

/** What was issued, and when, by this browser's clock. */
interface Had {
  readonly issued: Issued;
  readonly at: number;
  /** What was asked for, in seconds; undefined where the server's own flags decide. */
  readonly asked: number | undefined;
}

const MAX_HAD = 5;

export function CredentialsView({ overview }: { overview: Overview }): JSX.Element {
  const [had, setHad] = useState<readonly Had[]>([]);
  return (
    <>
      <RequestForm
        overview={overview}
        onIssued={(issued, asked) => setHad((all) => [{ issued, asked, at: Date.now() }, ...all].slice(0, MAX_HAD))}
      />
      {had.map((one) => (
        <Result
          key={one.issued.id}
          had={one}
          onForget={() => setHad((all) => all.filter(({ issued }) => issued.id !== one.issued.id))}
        />
      ))}
    </>
  );
}

type Tag = readonly [key: string, value: string];

function RequestForm({
  overview,
  onIssued,
}: {
  overview: Overview;
  onIssued: (issued: Issued, asked: number | undefined) => void;
}): JSX.Element {
  const { roles, furtherRoleArn } = overview;
  const [role, setRole] = useState(roles[0]?.name ?? '');
  const [other, setOther] = useState(false);
  const [seconds, setSeconds] = useState(3600);
  const [typed, setTyped] = useState<string | undefined>(undefined);
  const [roleArn, setRoleArn] = useState('');
  const [sessionName, setSessionName] = useState('');
  const [externalId, setExternalId] = useState('');
  const [policy, setPolicy] = useState('');
  const [tags, setTags] = useState<readonly Tag[]>([]);
  const [error, setError] = useState<ErrorAnswer | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const name = useId();

  const chained = other || furtherRoleArn !== undefined;
  const most = chained ? MOST_CHAINED : MOST;
  // The hops of the command line have times of their own.
  const fixed = furtherRoleArn !== undefined && !other;
  const read = typed === undefined ? seconds : readDuration(typed);
  const durationProblem = fixed
    ? undefined
    : read === undefined
      ? 'Write it like 90 min, 2 h or 1:30.'
      : read < LEAST
        ? 'AWS gives 15 minutes at least.'
        : read > most
          ? chained
            ? 'After another role, AWS gives an hour at most.'
            : 'AWS gives 12 hours at most.'
          : undefined;
  const badPolicy = other ? policyProblem(policy) : undefined;
  const choose = (value: number): void => {
    setSeconds(value);
    setTyped(undefined);
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(undefined);
    try {
      const kept = tags.filter(([key, value]) => key !== '' || value !== '');
      onIssued(
        await api.credentials({
          role,
          durationSeconds: fixed ? MOST_CHAINED : (read ?? 0),
          further: other
            ? {
                roleArn: roleArn.trim(),
                roleSessionName: sessionName.trim(),
                externalId: externalId.trim(),
                policy: policy.trim(),
                tags: kept.length === 0 ? undefined : kept,
              }
            : undefined,
        }),
        fixed ? undefined : read,
      );
    } catch (failure) {
      setError(errorAnswer(failure));
    } finally {
      setBusy(false);
    }
  };
  const chosen = roles.find((one) => one.name === role);
  return (
    <Card title="What do you need?">
      <form onSubmit={(event) => void submit(event)} noValidate>
        <fieldset class="choice">
          <legend class="hidden">Whose role</legend>
          <label>
            <input type="radio" name={name} checked={!other} onChange={() => setOther(false)} />
            <span>
              <b>A role of this server</b>
              <small>
                For as long as you say: 15 minutes to {furtherRoleArn === undefined ? '12 hours' : 'an hour'}
              </small>
            </span>
          </label>
          <label>
            <input type="radio" name={name} checked={other} onChange={() => setOther(true)} />
            <span>
              <b>A role in another account</b>
              <small>Assumed from a role of this server, for an hour at most</small>
            </span>
          </label>
        </fieldset>

        <div class="columns">
          <Field
            label={other ? 'Start from' : 'Role'}
            hint={chosen === undefined ? '' : <span class="mono">{fixed ? furtherRoleArn : chosen.roleArn}</span>}
          >
            {(ids) => (
              <select {...ids} value={role} onChange={(event) => setRole(event.currentTarget.value)}>
                {roles.map((one) => (
                  <option key={one.name} value={one.name}>
                    {one.name} ({accountOf(one.roleArn)})
                  </option>
                ))}
              </select>
            )}
          </Field>
          {other && (
            <Field label="Role ARN" hint="arn:aws:iam::ACCOUNT:role/NAME">
              {(ids) => (
                <input
                  {...ids}
                  type="text"
                  class="mono"
                  value={roleArn}
                  onInput={(event) => setRoleArn(event.currentTarget.value)}
                  placeholder="arn:aws:iam::210987654321:role/Support"
                  autocomplete="off"
                  spellcheck={false}
                />
              )}
            </Field>
          )}
        </div>

        {fixed ? (
          <Notice kind="info">
            This server goes on to <span class="mono">{furtherRoleArn}</span>: how long its sessions last is set by{' '}
            <code>--assume-role-duration</code>, an hour at most.
          </Notice>
        ) : (
          <div class="duration">
            <Field
              label="Duration"
              problem={durationProblem}
              hint={
                chained
                  ? 'After another role, AWS gives an hour at most.'
                  : 'A role gives no more than its own maximum session duration.'
              }
            >
              {(ids) => (
                <input
                  {...ids}
                  type="text"
                  value={typed ?? duration(seconds)}
                  onInput={(event) => {
                    const text = event.currentTarget.value;
                    setTyped(text);
                    const value = readDuration(text);
                    if (value !== undefined && value >= LEAST && value <= MOST) setSeconds(value);
                  }}
                  autocomplete="off"
                  spellcheck={false}
                />
              )}
            </Field>
            <div class="slider">
              <input
                type="range"
                aria-label="Duration"
                aria-valuetext={duration(Math.min(seconds, most))}
                min={LEAST}
                max={most}
                step={STEP}
                value={Math.min(seconds, most)}
                onInput={(event) => choose(Number(event.currentTarget.value))}
              />
              <div class="presets">
                {USUAL.filter((value) => value <= most).map((value) => (
                  <button
                    key={value}
                    type="button"
                    class="small"
                    aria-pressed={read === value}
                    onClick={() => choose(value)}
                  >
                    {duration(value)}
                  </button>
                ))}
              </div>
            </div>
          </div>
        )}

        {other && (
          <>
            <div class="columns">
              <Field
                label="Session name (optional)"
                hint="Who asks, as CloudTrail shows it: 2 to 64 of A-Z a-z 0-9 _+=,.@-"
              >
                {(ids) => (
                  <input
                    {...ids}
                    type="text"
                    value={sessionName}
                    onInput={(event) => setSessionName(event.currentTarget.value)}
                    autocomplete="off"
                    spellcheck={false}
                  />
                )}
              </Field>
              <Field label="External id (optional)" hint="What the other account has given you for this role.">
                {(ids) => (
                  <input
                    {...ids}
                    type="text"
                    value={externalId}
                    onInput={(event) => setExternalId(event.currentTarget.value)}
                    autocomplete="off"
                    spellcheck={false}
                  />
                )}
              </Field>
            </div>
            <Field
              label="Session policy (optional)"
              problem={
                badPolicy === undefined
                  ? undefined
                  : `The policy is ${badPolicy.startsWith('not') ? badPolicy : `not right: ${badPolicy}`}.`
              }
              hint={
                <>
                  Narrows what the credentials may do, as JSON. {policy.length.toLocaleString()} of{' '}
                  {MAX_POLICY.toLocaleString()} characters.
                </>
              }
            >
              {(ids) => (
                <textarea
                  {...ids}
                  class="mono"
                  rows={4}
                  value={policy}
                  onInput={(event) => setPolicy(event.currentTarget.value)}
                  placeholder={'{"Version":"2012-10-17","Statement":[…]}'}
                  spellcheck={false}
                />
              )}
            </Field>
            <TagList tags={tags} onChange={setTags} />
          </>
        )}
        {error !== undefined && <Failure error={error} />}
        <div class="actions">
          <button
            type="submit"
            class="primary"
            disabled={
              busy || durationProblem !== undefined || badPolicy !== undefined || (other && roleArn.trim() === '')
            }
          >
            {busy ? 'Asking AWS …' : 'Get credentials'}
          </button>
          {!fixed && durationProblem === undefined && (
            <span class="quietly">
              They would end at {moment(new Date(Date.now() + (read ?? 0) * 1000).toISOString())}.
            </span>
          )}
        </div>
      </form>
    </Card>
  );
}

function TagList({ tags, onChange }: { tags: readonly Tag[]; onChange: (tags: readonly Tag[]) => void }): JSX.Element {
  const set = (index: number, tag: Tag): void => onChange(tags.map((old, at) => (at === index ? tag : old)));
  return (
    <fieldset class="tags">
      <legend>Session tags (optional)</legend>
      {tags.map(([key, value], index) => (
        // The rows have nothing else that stays the same while they are typed in.
        <div class="tag" key={index}>
          <input
            type="text"
            aria-label={`Key of tag ${index + 1}`}
            placeholder="key"
            value={key}
            onInput={(event) => set(index, [event.currentTarget.value, value])}
            autocomplete="off"
          />
          <input
            type="text"
            aria-label={`Value of tag ${index + 1}`}
            placeholder="value"
            value={value}
            onInput={(event) => set(index, [key, event.currentTarget.value])}
            autocomplete="off"
          />
          <button
            type="button"
            class="small"
            aria-label={`Remove tag ${index + 1}`}
            onClick={() => onChange(tags.filter((_, at) => at !== index))}
          >
            ✕
          </button>
        </div>
      ))}
      <button type="button" class="small" disabled={tags.length >= 50} onClick={() => onChange([...tags, ['', '']])}>
        Add a tag
      </button>
    </fieldset>
  );
}

const FORMS: readonly (readonly [FormName | 'exec', string])[] = [
  ['sh', 'bash, zsh'],
  ['fish', 'fish'],
  ['powershell', 'PowerShell'],
  ['cmd', 'cmd'],
  ['file', 'Credentials file'],
  ['json', 'JSON'],
  ['exec', 'exec'],
];

/** How long secrets are in sight once they are shown. */
const SHOWN_MS = 30_000;

const DOTS = '••••••••••••';

function Result({ had: { issued, at, asked }, onForget }: { had: Had; onForget: () => void }): JSX.Element {
  const [form, setForm] = useState<FormName | 'exec'>('sh');
  const [shownUntil, setShownUntil] = useState(0);
  const [error, setError] = useState<ErrorAnswer | undefined>(undefined);
  const [url, setUrl] = useState<string | undefined>(undefined);
  const [busy, setBusy] = useState(false);
  const heading = useRef<HTMLHeadingElement>(null);
  const now = useNow();
  const end = Date.parse(issued.expiration);
  const left = (end - now) / 1000;
  const over = left <= 0;
  const shown = now < shownUntil && !over;
  const panel = useId();
  useEffect(() => heading.current?.focus(), []);
  const text = form === 'exec' ? issued.exec : issued.forms[form];
  const masked = text
    .replaceAll(issued.secretAccessKey, DOTS)
    .replaceAll(issued.sessionToken, DOTS)
    .replaceAll(issued.accessKeyId, `${DOTS}${issued.accessKeyId.slice(-4)}`);
  const signIn = async (): Promise<void> => {
    setBusy(true);
    setError(undefined);
    try {
      const answer = await api.signIn(issued.id);
      setUrl(answer.url);
      window.open(answer.url, '_blank', 'noopener,noreferrer');
    } catch (failure) {
      setError(errorAnswer(failure));
    } finally {
      setBusy(false);
    }
  };
  const key = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    if (step === 0) return;
    const index = FORMS.findIndex(([name]) => name === form);
    const next = FORMS[(index + step + FORMS.length) % FORMS.length];
    if (next === undefined) return;
    setForm(next[0]);
    document.getElementById(`${panel}-${next[0]}`)?.focus();
  };
  return (
    <section class={`card result${over ? ' over' : ''}`} aria-label={`Credentials of ${roleName(issued.roleArn)}`}>
      <header>
        <h2 ref={heading} tabIndex={-1}>
          {roleName(issued.roleArn)} <small>in {accountOf(issued.roleArn)}</small>
        </h2>
        <span class="clock" role="timer" aria-label={over ? 'expired' : `${duration(left)} left`}>
          {over ? 'expired' : countdown(left)}
        </span>
      </header>
      <TimeBar
        from={at}
        to={end}
        now={now}
        kind={over ? 'bad' : left < 300 ? 'warn' : 'good'}
        label={over ? 'These credentials have expired' : `Credentials until ${moment(issued.expiration)}`}
      />
      <p class="quietly">
        Until {moment(issued.expiration)}
        {issued.assumedRoleArn !== undefined && (
          <>
            {' '}
            as <span class="mono">{issued.assumedRoleArn}</span>
          </>
        )}
        {issued.packedPolicySize !== undefined && (
          <> · policy and tags use {issued.packedPolicySize} % of their space</>
        )}
      </p>
      {asked !== undefined && (end - at) / 1000 < asked - 120 && (
        <p class="quietly">
          <em>AWS gave less than the {duration(asked)} that were asked for:</em> the duration of the profile in Roles
          Anywhere, or the maximum of the role, is shorter.
        </p>
      )}
      <div class="tabs" role="tablist" aria-label="Form">
        {FORMS.map(([name, label]) => (
          <button
            key={name}
            id={`${panel}-${name}`}
            type="button"
            role="tab"
            aria-selected={name === form}
            aria-controls={panel}
            tabIndex={name === form ? 0 : -1}
            onClick={() => setForm(name)}
            onKeyDown={key}
          >
            {label}
          </button>
        ))}
      </div>
      <pre id={panel} role="tabpanel" aria-labelledby={`${panel}-${form}`} tabIndex={0}>
        {shown || form === 'exec' ? text : masked}
      </pre>
      {form === 'exec' && (
        <p class="quietly">This line gets the same by itself, with this machine's certificate: it holds no secret.</p>
      )}
      {error !== undefined && <Failure error={error} />}
      {url !== undefined && (
        <p class="quietly" role="status">
          The sign-in was opened in a new tab. If it was not:{' '}
          <a href={url} target="_blank" rel="noopener noreferrer">
            sign in to the AWS console
          </a>{' '}
          (good for 15 minutes).
        </p>
      )}
      <div class="actions">
        <Copy text={() => text} name={`the credentials for ${FORMS.find(([name]) => name === form)?.[1] ?? form}`} />
        <button
          type="button"
          class="small"
          disabled={over || form === 'exec'}
          aria-pressed={shown}
          onClick={() => setShownUntil(shown ? 0 : Date.now() + SHOWN_MS)}
        >
          {shown ? `Hide (${Math.max(1, Math.ceil((shownUntil - now) / 1000))})` : 'Show'}
        </button>
        <button type="button" class="small" disabled={over || busy} onClick={() => void signIn()}>
          Open AWS console
        </button>
        <button type="button" class="small last" onClick={onForget}>
          Forget
        </button>
      </div>
    </section>
  );
}
