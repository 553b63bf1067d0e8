/** The one reader and the one writer of an expiration's text. */

const RFC3339 =
  /^(\d{4}-\d\d-\d\d)[Tt]((?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d)(?:\.\d{1,9})?([Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * Reads a date and time of RFC 3339, section 5.6. A fraction of a second is
 * dropped, and so is never counted as time left.
 *
 * @returns undefined for anything else, such as 30 February or a leap second, and where UTC has not a year of four digits
 */
export function parseExpiration(text: string): Date | undefined {
  const [, day, time, offset] = RFC3339.exec(text) ?? [];
  if (day === undefined || time === undefined || offset === undefined) return undefined;
  // Date.parse takes 30 February for 2 March.
  const midnight = new Date(`${day}T00:00:00Z`);
  if (Number.isNaN(midnight.getTime()) || midnight.toISOString().slice(0, 10) !== day) return undefined;
  const date = new Date(`${day}T${time}${offset.toUpperCase()}`);
  return /^\d{4}-/.test(date.toISOString()) ? date : undefined;
}

/** `YYYY-MM-DDTHH:MM:SSZ`, the form that every SDK reads; a fraction of a second is dropped. */
export function formatExpiration(expiration: Date): string {
  return `${expiration.toISOString().slice(0, 19)}Z`;
}
