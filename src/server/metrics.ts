/**
 * Counters, and their text in Prometheus' exposition format 0.0.4.
 * Tests: test/server/status-server.test.ts
 */
import type { ProviderEvent, ProviderStatus } from '../credentials/provider.ts';
import { STAGES, stageOf } from './certificate-watch.ts';
import type { Validity } from './certificate-watch.ts';

/** Upper bounds of the refresh duration's buckets, in seconds. */
const BUCKETS = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

export interface MetricsRole {
  readonly name: string;
  readonly status: () => ProviderStatus;
  /** Undefined when it is not known. */
  readonly certificateValidity: () => Validity | undefined;
}

/** What is known of the certificate's renewals; in milliseconds since the epoch. */
export interface RenewalStatus {
  readonly succeeded: number;
  readonly failed: number;
  /** In a row, up to now. */
  readonly failures: number;
  readonly lastSuccess: number | undefined;
  readonly next: number | undefined;
}

export interface Metrics {
  /** Counts an answered request. */
  request(route: string, status: number): void;
  /** Counts a request that the guards refused. */
  refused(reason: string): void;
  /** Counts what a role's provider did. */
  provider(role: string, event: ProviderEvent): void;
  /** The whole text. */
  expose(roles: readonly MetricsRole[], connections: number, now: number, renewal?: RenewalStatus): string;
}

interface Refreshes {
  succeeded: number;
  failed: number;
  seconds: number;
  /** Not cumulative; the text adds them up. */
  readonly buckets: number[];
}

export function createMetrics(): Metrics {
  const requests = new Map<string, Map<number, number>>();
  const refusals = new Map<string, number>();
  const refreshes = new Map<string, Refreshes>();

  return {
    request(route, status) {
      let statuses = requests.get(route);
      if (statuses === undefined) requests.set(route, (statuses = new Map<number, number>()));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    },
    refused(reason) {
      refusals.set(reason, (refusals.get(reason) ?? 0) + 1);
    },
    provider(role, event) {
      if (event.type !== 'refreshed' && event.type !== 'failed') return;
      let counted = refreshes.get(role);
      if (counted === undefined) {
        counted = { succeeded: 0, failed: 0, seconds: 0, buckets: BUCKETS.map(() => 0) };
        refreshes.set(role, counted);
      }
      if (event.type === 'refreshed') counted.succeeded++;
      else counted.failed++;
      const seconds = event.durationMs / 1000;
      counted.seconds += seconds;
      const bucket = BUCKETS.findIndex((bound) => seconds <= bound);
      if (bucket >= 0) counted.buckets[bucket] = (counted.buckets[bucket] ?? 0) + 1;
    },
    expose(roles, connections, now, renewal) {
      return [
        family('certificate_seconds_to_expiry', 'gauge', 'Seconds until the certificate ends; negative after it.'),
        ...roles.flatMap(({ name, certificateValidity }) =>
          until('certificate', name, certificateValidity()?.notAfter, now),
        ),
        family(
          'certificate_stage',
          'gauge',
          '1 when a third of its life is left, 2 when a tenth is, 3 when it has expired.',
        ),
        ...roles.flatMap(({ name, certificateValidity }) => {
          const validity = certificateValidity();
          if (validity === undefined) return [];
          return [sample('certificate_stage', { role: name }, STAGES.indexOf(stageOf(validity, now)))];
        }),
        family('credentials_seconds_to_expiry', 'gauge', 'Seconds until the last credentials end; negative after it.'),
        ...roles.flatMap(({ name, status }) => until('credentials', name, status().expiration?.getTime(), now)),
        family('credentials_valid', 'gauge', '1 while valid credentials are in hand.'),
        ...roles.map(({ name, status }) => sample('credentials_valid', { role: name }, isReady(status()) ? 1 : 0)),
        family('refreshes_total', 'counter', 'Attempts to get new credentials, by result.'),
        ...roles.flatMap(({ name }) => [
          sample('refreshes_total', { role: name, result: 'success' }, refreshes.get(name)?.succeeded ?? 0),
          sample('refreshes_total', { role: name, result: 'failure' }, refreshes.get(name)?.failed ?? 0),
        ]),
        family('refresh_duration_seconds', 'histogram', 'How long the attempts took.'),
        ...roles.flatMap(({ name }) => histogram(name, refreshes.get(name))),
        family('requests_total', 'counter', 'Answered requests, by route and status.'),
        ...[...requests].flatMap(([route, statuses]) =>
          [...statuses].map(([status, count]) => sample('requests_total', { route, status: String(status) }, count)),
        ),
        family('refused_requests_total', 'counter', 'Requests that the guards refused, by reason.'),
        ...[...refusals].map(([reason, count]) => sample('refused_requests_total', { reason }, count)),
        family('connections', 'gauge', 'Open connections.'),
        sample('connections', {}, connections),
        ...(renewal === undefined ? [] : renewals(renewal)),
        '',
      ].join('\n');
    },
  };
}

function renewals({ succeeded, failed, failures, lastSuccess, next }: RenewalStatus): string[] {
  const moment = (name: string, help: string, time: number | undefined): string[] =>
    time === undefined ? [] : [family(name, 'gauge', help), sample(name, {}, Math.floor(time / 1000))];
  return [
    family('renewals_total', 'counter', 'Attempts to renew the certificate, by result.'),
    sample('renewals_total', { result: 'success' }, succeeded),
    sample('renewals_total', { result: 'failure' }, failed),
    family('renewal_failures', 'gauge', 'Attempts that failed since the last that did not.'),
    sample('renewal_failures', {}, failures),
    ...moment('renewal_last_success_timestamp_seconds', 'When the certificate was last renewed.', lastSuccess),
    ...moment('renewal_next_timestamp_seconds', 'When it is renewed next, or tried again.', next),
  ];
}

/** Whether a provider has valid credentials to give. */
export function isReady({ state }: ProviderStatus): boolean {
  return state === 'valid' || state === 'degraded';
}

const PREFIX = 'roles_anywhere_';

function family(name: string, type: string, help: string): string {
  return `# HELP ${PREFIX}${name} ${help}\n# TYPE ${PREFIX}${name} ${type}`;
}

function sample(name: string, labels: Readonly<Record<string, string>>, value: number): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escape(text)}"`);
  return `${PREFIX}${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
}

function escape(text: string): string {
  return text
    .replaceAll('\\', String.raw`\\`)
    .replaceAll('"', String.raw`\"`)
    .replaceAll('\n', String.raw`\n`);
}

function until(what: 'certificate' | 'credentials', role: string, end: number | undefined, now: number): string[] {
  return end === undefined ? [] : [sample(`${what}_seconds_to_expiry`, { role }, Math.floor((end - now) / 1000))];
}

function histogram(role: string, counted: Refreshes | undefined): string[] {
  if (counted === undefined) return [];
  let below = 0;
  const buckets = BUCKETS.map((bound, index) => {
    below += counted.buckets[index] ?? 0;
    return sample('refresh_duration_seconds_bucket', { role, le: String(bound) }, below);
  });
  const count = counted.succeeded + counted.failed;
  return [
    ...buckets,
    sample('refresh_duration_seconds_bucket', { role, le: '+Inf' }, count),
    sample('refresh_duration_seconds_sum', { role }, counted.seconds),
    sample('refresh_duration_seconds_count', { role }, count),
  ];
}
