/** The certificate, its chain, its time, and what AWS will see. */
import type { JSX } from 'preact';
import type { CertificateFacts, Overview } from '../api.ts';
import { Card, Copy, Facts, Notice, TimeBar } from './parts.tsx';
import { duration, moment, nearness } from './text.ts';
import type { Nearness } from './text.ts';

const WORDS: Readonly<Record<Exclude<Nearness, 'good'>, readonly ['info' | 'warn' | 'bad', string]>> = {
  month: ['info', 'The certificate ends within 30 days. Plan its renewal.'],
  week: ['warn', 'The certificate ends within 7 days. Renew it now.'],
  day: ['bad', 'The certificate ends within a day. Renew it at once.'],
  over: ['bad', 'The certificate has expired. Nothing new can be issued until it is renewed.'],
};

export function IdentityView({ overview, now }: { overview: Overview; now: number }): JSX.Element {
  const { identity, roles } = overview;
  const near = nearness(identity.notAfter, now);
  const left = (Date.parse(identity.notAfter) - now) / 1000;
  return (
    <>
      <Card title="Certificate">
        {near !== 'good' && (
          <Notice kind={WORDS[near][0]}>
            <p class="what">{WORDS[near][1]}</p>
            <p>New files are taken as soon as they are whole, fit each other and are valid.</p>
          </Notice>
        )}
        <Validity facts={identity} now={now} near={near} />
        <p class={`left ${near}`}>{left <= 0 ? 'Expired' : `${duration(left)} left`}</p>
        <Facts
          rows={[
            ['Subject', <span class="mono">{identity.subject}</span>],
            ['Issuer', <span class="mono">{identity.issuer}</span>],
            [
              'Serial number',
              <>
                <span class="mono">{identity.serial}</span>{' '}
                <Copy text={() => identity.serialDecimal} label="Copy as decimal" name="the serial number" />
              </>,
            ],
            [
              'Alternative names',
              identity.alternativeNames.length === 0 ? (
                'none'
              ) : (
                <ul class="plain">
                  {identity.alternativeNames.map(({ kind, text }) => (
                    <li key={`${kind} ${text}`}>
                      <span class="chip">{kind}</span> <span class="mono">{text}</span>
                    </li>
                  ))}
                </ul>
              ),
            ],
            ['Key', identity.key],
            [
              'Where the key is',
              <>
                {identity.keyHome.kind} <span class="mono">{identity.keyHome.place}</span>
              </>,
            ],
            ['Signed with', identity.signature],
            ['SHA-256', <span class="mono wrap">{identity.fingerprint}</span>],
          ]}
        />
      </Card>
      <Card title="Chain">
        <ol class="chain">
          <li>
            <b>This certificate</b>
            <span class="mono">{identity.subject}</span>
            <small>until {moment(identity.notAfter)}</small>
          </li>
          {identity.chain.map((one) => (
            <li key={one.fingerprint}>
              <b>Intermediate</b>
              <span class="mono">{one.subject}</span>
              <small>
                {one.key} · until {moment(one.notAfter)}
              </small>
            </li>
          ))}
          <li class="anchor">
            <b>Trust anchor</b>
            <span class="mono">{(identity.chain.at(-1) ?? identity).issuer}</span>
            <small class="mono">{identity.trustAnchorArn}</small>
          </li>
        </ol>
      </Card>
      <Card title="What AWS will see">
        <Facts
          rows={[
            [
              'Source identity',
              <>
                <span class="mono">{identity.sourceIdentity}</span>
                {identity.sourceIdentityProblem !== undefined && <em> {identity.sourceIdentityProblem}</em>}
              </>,
            ],
            ['Session name', <span class="mono">{identity.sessionName}</span>],
          ]}
        />
        <h3>Session tags</h3>
        <div class="scroll" tabIndex={0} role="region" aria-label="Table of session tags">
          <table>
            <thead>
              <tr>
                <th scope="col">aws:PrincipalTag/</th>
                <th scope="col">Value</th>
              </tr>
            </thead>
            <tbody>
              {identity.tags.map(({ key, value, problem }) => (
                <tr key={key}>
                  <th scope="row" class="mono">
                    {key}
                  </th>
                  <td class="mono">
                    {value}
                    {problem !== undefined && <em> left out: {problem}</em>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <p class="quietly">As a profile maps them from the start; its owner may change that.</p>
        <h3>Roles</h3>
        <ul class="plain roles">
          {roles.map(({ name, roleArn, profileArn, region }) => (
            <li key={name}>
              <b>{name}</b> <span class="chip">{region}</span>
              <span class="mono wrap">{roleArn}</span>
              <span class="mono wrap quietly">{profileArn}</span>
            </li>
          ))}
        </ul>
      </Card>
    </>
  );
}

function Validity({ facts, now, near }: { facts: CertificateFacts; now: number; near: Nearness }): JSX.Element {
  const [from, to] = [Date.parse(facts.notBefore), Date.parse(facts.notAfter)];
  const day = 86_400_000;
  const kind = near === 'good' ? 'good' : near === 'month' ? 'info' : near === 'week' ? 'warn' : 'bad';
  return (
    <div class="validity">
      <TimeBar
        from={from}
        to={to}
        now={now}
        kind={kind}
        marks={[30, 7, 1]
          .map((days) => ({ at: to - days * day, name: `${days} days before the end` }))
          .filter(({ at }) => at > from)}
        label={`Valid from ${moment(facts.notBefore)} to ${moment(facts.notAfter)}; now is marked`}
      />
      <div class="ends">
        <span>{moment(facts.notBefore)}</span>
        <span class="key">
          <span>
            <i class="dot" aria-hidden="true" />
            today
          </span>
          <span>
            <i class="tick" aria-hidden="true" />
            30, 7 and 1 days before the end
          </span>
        </span>
        <span>{moment(facts.notAfter)}</span>
      </div>
    </div>
  );
}
