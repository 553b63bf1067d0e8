/** The report of `doctor`: for people, and for programs. */
// Tests: test/doctor/report.test.ts
import { homedir, hostname, userInfo } from 'node:os';
import { inert, inertJson } from '../platform/redact.ts';
import { plainStyle } from '../platform/terminal-style.ts';
import type { Style } from '../platform/terminal-style.ts';
import { AREAS } from './codes.ts';
import type { Finding, Notebook, Severity } from './notebook.ts';

export interface ReportOptions {
  /** What was looked at. */
  readonly subject: string;
  /** Default: none. */
  readonly style?: Style | undefined;
  /** Takes accounts, ids and names out; undefined to leave them. */
  readonly redact?: ((text: string) => string) | undefined;
}

const STYLES = { error: 'red', warning: 'yellow', note: 'cyan' } as const satisfies Readonly<Record<Severity, string>>;

/** The report as text. Nothing that is quoted steers the terminal. */
export function textReport(
  notes: Notebook,
  { subject, style = plainStyle, redact = (text) => text }: ReportOptions,
): string {
  const clean = (text: string): string => redact(inert(text)).replaceAll('\n', ' ');
  const findings = notes.findings();
  const lines = [style('bold', `doctor: ${clean(subject)}`), ''];
  for (const { code, severity, cause, remedy, details } of findings) {
    lines.push(
      `${style(STYLES[severity], `${severity}:`)} ${clean(cause)} [${code}]`,
      `  what to do: ${clean(remedy)}`,
    );
    lines.push(...details.map((line) => `  ${clean(line)}`), '');
  }
  const width = Math.max(0, ...notes.facts.map(({ label }) => label.length));
  for (const area of AREAS) {
    const facts = notes.facts.filter((fact) => fact.area === area);
    if (facts.length === 0) continue;
    lines.push(
      style('bold', area),
      ...facts.map(({ label, value }) => `  ${label.padEnd(width)}  ${clean(value)}`),
      '',
    );
  }
  if (notes.unchecked.length > 0)
    lines.push(style('bold', 'not looked at'), ...notes.unchecked.map((what) => `  ${clean(what)}`), '');
  lines.push(style('bold', countText(findings)));
  return lines.map((line) => `${line}\n`).join('');
}

/** The report as JSON. */
export function jsonReport(notes: Notebook, { subject, redact }: Pick<ReportOptions, 'subject' | 'redact'>): string {
  const report = {
    subject,
    status: notes.exitStatus(),
    findings: notes
      .findings()
      .map(({ code, severity, area, cause, remedy, details }) => ({ code, severity, area, cause, remedy, details })),
    facts: notes.facts,
    notLookedAt: notes.unchecked,
  };
  return `${inertJson(redact === undefined ? report : redacted(report, redact))}\n`;
}

function redacted(value: unknown, redact: (text: string) => string): unknown {
  if (typeof value === 'string') return redact(value);
  if (Array.isArray(value)) return value.map((one) => redacted(one, redact));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, redacted(one, redact)]));
}

function countText(findings: readonly Finding[]): string {
  const counts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const count = findings.filter((one) => one.severity === severity).length;
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? '' : 's'}`];
  });
  return counts.length === 0 ? 'nothing is wrong' : counts.join(', ');
}

/** Names shorter than this would be found everywhere. */
const SHORTEST = 3;

/**
 * Takes accounts, ids of resources, serial numbers and addresses out of a text, and the names that are given: of roles,
 * certificates, profiles, hosts. What is taken out leaves its kind.
 */
export function redactor(names: Readonly<Record<string, readonly (string | undefined)[]>>): (text: string) => string {
  const known = Object.entries({
    ...names,
    host: [...(names['host'] ?? []), hostname()],
    user: [...(names['user'] ?? []), userInfo().username],
  })
    .flatMap(([kind, values]) => values.map((value) => [value ?? '', kind] as const))
    .filter(([value]) => value.length >= SHORTEST && value !== 'default' && value !== 'root')
    .toSorted(([one], [other]) => other.length - one.length);
  const home = homedir();
  return (text) => {
    let out = home.length > 1 ? text.replaceAll(home, '~') : text;
    for (const [value, kind] of known) out = out.replaceAll(value, `<${kind}>`);
    return out
      .replaceAll(/\b[0-9a-f]{8}-(?:[0-9a-z]{4}-){3}[0-9a-z]{12}\b/g, '<id>')
      .replaceAll(/\b(?:A[KSRI][A-Z]A)[A-Z0-9]{12,}\b/g, '<id>')
      .replaceAll(/(?<![\w.])\d{12}(?![\w.])/g, '<account>')
      .replaceAll(/(?<![\w.])\d{15,}(?![\w.])/g, '<number>')
      .replaceAll(/(?<![\w.])(?!127\.)\d{1,3}(?:\.\d{1,3}){3}(?![\w.])/g, '<address>');
  };
}
