/** Times, durations and names in words. Tests: test/console/page/text.test.ts */

const DAY = 86_400;

/** `2 h 5 min`, `45 s`: the two largest units. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const units = [
    ['d', Math.floor(whole / DAY)],
    ['h', Math.floor((whole % DAY) / 3600)],
    ['min', Math.floor((whole % 3600) / 60)],
    ['s', whole % 60],
  ] as const;
  const first = units.findIndex(([, count]) => count > 0);
  if (first < 0) return '0 s';
  return units
    .slice(first, first + 2)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) => `${count} ${unit}`)
    .join(' ');
}

function two(part: number): string {
  return String(part).padStart(2, '0');
}

/** `1:59:07`, for what counts down. */
export function countdown(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/**
 * Reads a duration as people write it: `90 min`, `1h30`, `2 h`, `1:30` (hours and minutes), `5400 s`; a bare number is
 * minutes.
 *
 * @returns seconds; undefined for what is none
 */
export function readDuration(text: string): number | undefined {
  const plain = text.trim().toLowerCase();
  const clock = /^(\d{1,2}):(\d{2})$/.exec(plain);
  if (clock !== null) return Number(clock[1]) * 3600 + Number(clock[2]) * 60;
  // A last number without a unit is minutes.
  const parts =
    /^(?:(\d+(?:\.\d+)?)\s*h(?:ours?)?)?\s*(?:(\d+(?:\.\d+)?)\s*m(?:in(?:utes?)?)?)?\s*(?:(\d+)\s*s(?:ec(?:onds?)?)?)?$/.exec(
      plain.replace(/(\d)$/, '$1 min'),
    );
  if (plain === '' || parts === null) return undefined;
  const [, hours = 0, minutes = 0, seconds = 0] = parts;
  return Math.round(Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds));
}

/** Date and time of day in the browser's zone. */
export function moment(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime())
    ? iso
    : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

export function timeOfDay(iso: string): string {
  const date = new Date(iso);
  return Number.isNaN(date.getTime()) ? iso : date.toLocaleTimeString(undefined, { timeStyle: 'medium' });
}

/** The name at the end of a role's ARN. */
export function roleName(arn: string): string {
  return arn.includes('/') ? arn.slice(arn.lastIndexOf('/') + 1) : arn;
}

export function accountOf(arn: string): string {
  return arn.split(':')[4] ?? '';
}

/** How near the end of a certificate is. */
export type Nearness = 'good' | 'month' | 'week' | 'day' | 'over';

export function nearness(notAfter: string, now: number): Nearness {
  const left = Date.parse(notAfter) - now;
  if (left <= 0) return 'over';
  if (left <= DAY * 1000) return 'day';
  if (left <= 7 * DAY * 1000) return 'week';
  return left <= 30 * DAY * 1000 ? 'month' : 'good';
}

/** Most characters of a session policy, its white space included. */
export const MAX_POLICY = 2048;

/** What is wrong with a session policy as far as can be told while it is typed; undefined when nothing is. */
export function policyProblem(text: string): string | undefined {
  if (text.trim() === '') return undefined;
  if (text.length > MAX_POLICY) return `${text.length - MAX_POLICY} characters too long`;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const at = /position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    if (at === undefined) return 'not JSON yet';
    const lines = text.slice(0, Number(at)).split('\n');
    return `not JSON: look at line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
  }
  if (typeof value !== 'object' || value === null || !('Statement' in value)) return 'a policy has a Statement';
  return undefined;
}
