/** How each role stands, and what comes next. */
import type { JSX } from 'preact';
import type { Health, RoleHealth } from '../api.ts';
import { Card, Facts, Failure, TimeBar } from './parts.tsx';
import type { Told } from './store.ts';
import { duration, moment, timeOfDay } from './text.ts';

const STATES: Readonly<Record<string, readonly [name: string, kind: string]>> = {
  valid: ['Good', 'good'],
  degraded: ['Good for now: the last refresh failed', 'warn'],
  unavailable: ['No valid credentials', 'bad'],
  starting: ['Starting', 'info'],
  idle: ['Not asked yet', 'info'],
  closed: ['Stopped', 'bad'],
};

export function HealthView({ told, now }: { told: Told; now: number }): JSX.Element {
  const { health } = told;
  if (health === undefined)
    return (
      <p class="quietly" role="status">
        Waiting for the server …
      </p>
    );
  return (
    <>
      <Summary health={health} now={now} />
      {health.roles.map((role) => (
        <RoleCard key={role.name} role={role} now={now} />
      ))}
    </>
  );
}

function Summary({ health, now }: { health: Health; now: number }): JSX.Element {
  const good = health.roles.filter(({ state }) => state === 'valid').length;
  const left = (Date.parse(health.certificateEnd) - now) / 1000;
  return (
    <div class="tiles">
      <div class={`tile ${good === health.roles.length ? 'good' : 'bad'}`}>
        <b>
          {good} of {health.roles.length}
        </b>
        <span>{health.roles.length === 1 ? 'role is good' : 'roles are good'}</span>
      </div>
      <div class={`tile ${left <= 0 ? 'bad' : left < 7 * 86_400 ? 'warn' : 'good'}`}>
        <b>{left <= 0 ? 'over' : duration(left)}</b>
        <span>until the certificate ends</span>
      </div>
      <div class="tile">
        <b>{health.connections.toLocaleString()}</b>
        <span>open connections</span>
      </div>
    </div>
  );
}

function RoleCard({ role, now }: { role: RoleHealth; now: number }): JSX.Element {
  const [words, kind] = STATES[role.state] ?? [role.state, 'info'];
  const { refreshedAt, expiration, nextAttempt, lastError, failures } = role;
  const [from, to, next] = [refreshedAt, expiration, nextAttempt].map((iso) =>
    iso === undefined ? undefined : Date.parse(iso),
  );
  return (
    <Card title={role.name} aside={<span class={`chip ${kind}`}>{role.refreshing ? `${words}, asking` : words}</span>}>
      {from !== undefined && to !== undefined && (
        <>
          <TimeBar
            from={from}
            to={to}
            now={now}
            kind={now >= to ? 'bad' : kind}
            marks={next === undefined ? [] : [{ at: next, name: 'next refresh' }]}
            label={`Credentials from ${moment(refreshedAt ?? '')} to ${moment(expiration ?? '')}; now and the next refresh are marked`}
          />
          <div class="ends">
            <span>{timeOfDay(refreshedAt ?? '')}</span>
            <span class="key">
              <span>
                <i class="dot" aria-hidden="true" />
                now
              </span>
              <span>
                <i class="tick" aria-hidden="true" />
                next refresh
              </span>
            </span>
            <span>{timeOfDay(expiration ?? '')}</span>
          </div>
        </>
      )}
      <Facts
        rows={[
          [
            'Next refresh',
            next === undefined ? 'none planned' : next <= now ? 'now' : `in ${duration((next - now) / 1000)}`,
          ],
          [
            'Credentials end',
            to === undefined ? 'there are none' : to <= now ? 'they have expired' : `in ${duration((to - now) / 1000)}`,
          ],
          ['Failures in a row', String(failures)],
        ]}
      />
      {lastError !== undefined && <Failure error={lastError} />}
    </Card>
  );
}
