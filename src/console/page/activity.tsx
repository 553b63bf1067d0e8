/** Who got what, and when. */
import type { JSX } from 'preact';
import { useMemo, useState } from 'preact/hooks';
import type { ErrorAnswer, NumberedRow } from '../api.ts';
import { api } from './api.ts';
import { Chart } from './chart.tsx';
import { Card, Failure, errorAnswer } from './parts.tsx';
import type { Told } from './store.ts';
import { moment, roleName, timeOfDay } from './text.ts';

const EVENTS: Readonly<Record<NumberedRow['event'], readonly [name: string, kind: string]>> = {
  vend: ['Given to an SDK', 'good'],
  issue: ['Issued here', 'good'],
  'sign-in': ['Sign-in link', 'good'],
  refused: ['Refused', 'bad'],
  refresh: ['Refreshed', 'info'],
  failure: ['Refresh failed', 'bad'],
  expired: ['Expired', 'bad'],
  unlock: ['Unlocked', 'info'],
  'locked-out': ['Locked out', 'warn'],
};

/** Rows in the table: the newest of those that fit the filters. */
const MOST_SHOWN = 200;

export function ActivityView({ told, auditLog, theme }: { told: Told; auditLog: boolean; theme: string }): JSX.Element {
  const [event, setEvent] = useState('');
  const [role, setRole] = useState('');
  const [text, setText] = useState('');
  const [error, setError] = useState<ErrorAnswer | undefined>(undefined);
  const { rows, minutes, skipped } = told;
  const roles = useMemo(() => [...new Set(rows.flatMap((row) => row.role ?? []))].toSorted(), [rows]);
  const found = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return rows
      .filter(
        (row) =>
          (event === '' || row.event === event) &&
          (role === '' || row.role === role) &&
          (wanted === '' ||
            Object.values(row).some((value) =>
              String(value ?? '')
                .toLowerCase()
                .includes(wanted),
            )),
      )
      .toReversed();
  }, [rows, event, role, text]);
  const times = useMemo(() => minutes.map(({ at }) => at), [minutes]);
  const counts = useMemo(
    () => [
      { label: 'Issued', color: '--good', values: minutes.map(({ issued }) => issued) },
      { label: 'Refreshed', color: '--info', values: minutes.map(({ refreshed }) => refreshed) },
      { label: 'Failed', color: '--bad', values: minutes.map(({ failed }) => failed) },
    ],
    [minutes],
  );
  const requests = useMemo(
    () => [{ label: 'Requests', color: '--accent', values: minutes.map((one) => one.requests) }],
    [minutes],
  );
  const save = async (format: 'csv' | 'jsonl'): Promise<void> => {
    setError(undefined);
    try {
      const url = URL.createObjectURL(await api.export(format));
      const link = document.createElement('a');
      link.href = url;
      link.download = `roles-anywhere-activity.${format}`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(url), 10_000);
    } catch (failure) {
      setError(errorAnswer(failure));
    }
  };
  const sum = (name: 'issued' | 'refreshed' | 'failed' | 'requests'): number =>
    minutes.reduce((total, one) => total + one[name], 0);
  return (
    <>
      <Card title="The last hour">
        <div class="charts">
          <Chart
            times={times}
            series={counts}
            kind="bars"
            theme={theme}
            label={`In the last hour: ${sum('issued')} issued, ${sum('refreshed')} refreshed, ${sum('failed')} failed`}
          />
          <Chart
            times={times}
            series={requests}
            kind="line"
            theme={theme}
            label={`Requests a minute: ${sum('requests')} in the last hour`}
          />
        </div>
      </Card>
      <Card
        title="Events"
        aside={
          <div class="actions">
            <button type="button" class="small" onClick={() => void save('csv')}>
              Export CSV
            </button>
            <button type="button" class="small" onClick={() => void save('jsonl')}>
              Export JSON lines
            </button>
          </div>
        }
      >
        {error !== undefined && <Failure error={error} />}
        <div class="filters">
          <label>
            <span>Event</span>
            <select value={event} onChange={(change) => setEvent(change.currentTarget.value)}>
              <option value="">All</option>
              {Object.entries(EVENTS).map(([name, [words]]) => (
                <option key={name} value={name}>
                  {words}
                </option>
              ))}
            </select>
          </label>
          <label>
            <span>Role</span>
            <select value={role} onChange={(change) => setRole(change.currentTarget.value)}>
              <option value="">All</option>
              {roles.map((arn) => (
                <option key={arn} value={arn}>
                  {roleName(arn)}
                </option>
              ))}
            </select>
          </label>
          <label class="grow">
            <span>Search</span>
            <input
              type="search"
              value={text}
              onInput={(change) => setText(change.currentTarget.value)}
              placeholder="client, key, session …"
            />
          </label>
        </div>
        <p class="quietly" role="status">
          {found.length.toLocaleString()} of {rows.length.toLocaleString()} events
          {found.length > MOST_SHOWN && `, the newest ${MOST_SHOWN} shown`}
          {skipped > 0 && `; ${skipped.toLocaleString()} came too fast to be listed here`}.{' '}
          {auditLog
            ? 'The audit log has all of them that gave credentials.'
            : 'Without --audit-log they are kept in memory alone, the last 5,000.'}
        </p>
        <div class="scroll tall" tabIndex={0} role="region" aria-label="Table of events">
          <table class="events">
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Event</th>
                <th scope="col">Role</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
              </tr>
            </thead>
            <tbody>
              {found.slice(0, MOST_SHOWN).map((row) => (
                <tr key={row.id}>
                  <td title={moment(row.time)}>{timeOfDay(row.time)}</td>
                  <td>
                    <span class={`chip ${EVENTS[row.event][1]}`}>{EVENTS[row.event][0]}</span>
                  </td>
                  <td title={row.role}>{row.role === undefined ? '' : roleName(row.role)}</td>
                  <td class="mono">
                    {row.client}
                    {row.uid !== undefined && <small> uid {row.uid}</small>}
                  </td>
                  <td>{what(row)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {found.length === 0 && (
            <p class="empty">{rows.length === 0 ? 'Nothing has happened yet.' : 'Nothing fits these filters.'}</p>
          )}
        </div>
      </Card>
    </>
  );
}

function what({ key, session, expiration, message, hint, code, event }: NumberedRow): JSX.Element {
  return (
    <>
      {key !== undefined && <span class="mono">…{key} </span>}
      {session !== undefined && <span class="mono">{session} </span>}
      {message !== undefined && event !== 'refresh' && <span>{message} </span>}
      {hint !== undefined && <em>{hint} </em>}
      {code !== undefined && <small class="mono">{code} </small>}
      {expiration !== undefined && <small>until {timeOfDay(expiration)}</small>}
    </>
  );
}
