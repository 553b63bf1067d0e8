/**
 * The one place that decides what may be shown of requests and answers.
 * A secret is shown as `<redacted>`, with neither length nor any character of
 * it; of an access key id the last four characters stay. A signature counts
 * as a secret: whoever has it can send the request again while it is fresh.
 */

export const REDACTED = '<redacted>';

/** Headers without anything to show. Of Authorization all but the signature is. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  'cookie',
  'proxy-authorization',
  'set-cookie',
  'x-amz-security-token',
  'x-aws-ec2-metadata-token',
  'x-vault-token',
]);

/** Members, elements and parameters, without case and the characters between words. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'assertion',
  'contextassertion',
  'credential',
  'externalid',
  'ott', // step-ca's token
  'password',
  'pin',
  'privatekey',
  'secret',
  'secretaccesskey',
  'secretid', // of Vault's AppRole
  'session', // of a sign-in request: holds credentials
  'sessionkey',
  'sessiontoken',
  'signature',
  'signintoken',
  'token',
  'tokencode',
  'webidentitytoken',
  'xamzsecuritytoken',
  'xamzsignature',
]);

/**
 * In text that is not well-formed: the name of a secret, what separates it from
 * its value, and the value with the quote before it. Looked for from a name's
 * first character only: each other start would read a long name once more, and
 * a server could keep us busy with one.
 */
const NAMED_SECRET = new RegExp(
  [
    /(?<![\w-])(?=[\w-]*(?:secret|token|password|private-?key|signature|assertion|(?:pin|session(?:key)?)(?![\w-])))/,
    /([\w-]+\\*["']?\s*[:=>]\s*)(\\*["'][^"'\\]*|[^"'<&\s\\]+)/,
  ]
    .map(({ source }) => source)
    .join(''),
  'gi',
);

/** A header's value, as it may be shown. */
export function shownHeader(name: string, value: string): string {
  const lower = name.toLowerCase();
  if (SECRET_HEADERS.has(lower)) return REDACTED;
  if (lower !== 'authorization') return shownUrlText(value);
  // SigV4 alone has parts to show: any other scheme is nothing but the secret.
  return /^AWS4-[\w-]+ Credential=/.test(value)
    ? value.replace(/(Signature=).*$/s, `$1${REDACTED}`).replace(/(Credential=)(\w{16,128})(?=\/)/, keepTail)
    : REDACTED;
}

/** A URL, as it may be shown: without user information, and without secrets in its query. */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  return shownUrlText(shown.href);
}

/** A canonical request or a string to sign, as it may be shown. */
export function shownStage(text: string): string {
  return text
    .split('\n')
    .map((line) => {
      const [, name, value] = /^([a-z0-9-]+):(.*)$/.exec(line) ?? [];
      return name === undefined || value === undefined ? shownUrlText(line) : `${name}:${shownHeader(name, value)}`;
    })
    .join('\n');
}

/** A body, as it may be shown. Nothing is, of what is neither JSON nor XML nor a form, unless `harmless`. */
export function shownBody(body: string, harmless: boolean): string {
  if (body === '') return '';
  try {
    return JSON.stringify(shownValue(JSON.parse(body)));
  } catch {
    // not JSON
  }
  // AWS's XML has neither CDATA nor comments, in which a secret would pass unseen.
  if (/^\s*<(?!!doctype html|html)/i.test(body)) return body.includes('<!') ? REDACTED : shownXml(body);
  if (/^[\w.%-]+=[^\s<>{}"]*$/.test(body)) return shownUrlText(`?${body}`).slice(1);
  return harmless ? shownText(body) : REDACTED;
}

function shownValue(value: unknown, name = ''): unknown {
  if (isSecretName(name)) return value === null ? null : REDACTED;
  if (Array.isArray(value)) return value.map((item) => shownValue(item, name));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, shownValue(member, key)]));
  if (typeof value !== 'string') return value;
  if (isKeyIdName(name)) return tail(value);
  // A document in a document.
  return /^\s*[[{]/.test(value) ? shownBody(value, true) : value;
}

function shownXml(text: string): string {
  return text.replace(/<([\w:.-]+)((?:\s[^<>]*)?)>([^<]*)/g, (whole, name: string, rest: string, value: string) => {
    if (value.trim() === '') return whole;
    if (isSecretName(name.replace(/^.*:/, ''))) return `<${name}${rest}>${REDACTED}`;
    return isKeyIdName(name) ? `<${name}${rest}>${tail(value)}` : whole;
  });
}

/** Parameters after `?` or `&`, and user information. */
function shownUrlText(text: string): string {
  return text
    .replace(/\/\/[^/?#\s]*@/g, '//')
    .replace(/(^|[?&])([\w.%-]+)=([^&\s#]*)/g, (whole, before: string, name: string, value: string) => {
      if (isSecretName(decode(name))) return `${before}${name}=${REDACTED}`;
      return /^x-amz-credential$/i.test(name) ? `${before}${name}=${value.replace(/^(\w+)/, tail)}` : whole;
    });
}

/** Text of any kind that should hold no secret: what looks like one is taken out all the same. */
function shownText(text: string): string {
  return text.replace(
    NAMED_SECRET,
    (_whole, name: string, value: string) => `${name}${/^\\*["']/.exec(value)?.[0] ?? ''}${REDACTED}`,
  );
}

/** A request, as far as it holds secrets. */
interface Sent {
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
}

/** The secrets of a request, each as it is. */
export function secretsOf({ headers, body = '' }: Sent): string[] {
  const found = Object.entries(headers).flatMap(([name, value]) => {
    const lower = name.toLowerCase();
    if (lower === 'authorization') return secretsOfAuthorization(value);
    return SECRET_HEADERS.has(lower) ? [value] : [];
  });
  const document = parsed(body);
  if (document !== undefined) found.push(...secretsOfValue(document));
  else
    for (const [name, value] of new URLSearchParams(body)) found.push(...secretsOfValue(parsed(value) ?? value, name));
  return found.filter(({ length }) => length >= LEAST_SECRET);
}

/** Shorter texts are found everywhere. */
const LEAST_SECRET = 4;

function secretsOfAuthorization(value: string): string[] {
  if (value.startsWith('AWS4-')) return [/Signature=(\w+)/.exec(value)?.[1] ?? ''];
  const [, scheme, rest = value] = /^(\w+) (.*)$/s.exec(value) ?? [];
  if (scheme?.toLowerCase() !== 'basic') return [rest];
  const pair = Buffer.from(rest, 'base64').toString('utf8');
  return [rest, pair, pair.slice(pair.indexOf(':') + 1)];
}

function secretsOfValue(value: unknown, name = ''): string[] {
  if (Array.isArray(value)) return value.flatMap((item) => secretsOfValue(item, name));
  // All of what a secret is made of is one.
  if (typeof value === 'object' && value !== null)
    return Object.entries(value).flatMap(([key, member]) => secretsOfValue(member, isSecretName(name) ? name : key));
  return typeof value === 'string' && isSecretName(name) ? [value] : [];
}

function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

/** So much of the beginning of a secret is enough to know it by, where a text was cut. */
const TOLD_BY = 16;

/**
 * An answer's text without what it repeats of the secrets that it was asked with: as they were sent, and as URLs and JSON
 * write them. One that was cut is known by its beginning.
 */
export function withoutEchoes(text: string, secrets: readonly string[]): string {
  // Where it is read as XML later, no element may come of it.
  const instead = /^\s*</.test(text) ? REDACTED.replace('<', '&lt;').replace('>', '&gt;') : REDACTED;
  let rest = text;
  for (const secret of secrets) rest = withoutEcho(rest, formsOf(secret), instead);
  return rest;
}

function formsOf(secret: string): readonly string[] {
  const encoded = encodeURIComponent(secret);
  const lower = encoded.replaceAll(/%../g, (octet) => octet.toLowerCase());
  return [secret, encoded, lower, secret.replaceAll('/', String.raw`\/`)];
}

/** Takes out whichever form goes on for longest from where one begins. */
function withoutEcho(text: string, forms: readonly string[], instead: string): string {
  let kept = '';
  let from = 0;
  for (;;) {
    const begun = forms.flatMap((form) => {
      const beginning = form.slice(0, TOLD_BY);
      const at = text.indexOf(beginning, from);
      return at < 0 ? [] : [{ form, at, least: at + beginning.length }];
    });
    const at = Math.min(...begun.map((one) => one.at));
    if (begun.length === 0) return kept + text.slice(from);
    const ends = begun.filter((one) => one.at === at).map(({ form, least }) => endOf(text, form, at, least));
    kept += text.slice(from, at) + instead;
    from = Math.max(...ends);
  }
}

function endOf(text: string, form: string, at: number, least: number): number {
  let end = least;
  while (end < text.length && text[end] === form[end - at]) end++;
  return end;
}

/**
 * Text in which nothing steers a terminal: control and formatting characters
 * are written as `\u{1b}`; line feeds and tabs stay.
 */
export function inert(text: string): string {
  return text
    .replaceAll('\r\n', '\n')
    .replace(/[^\P{C}\n\t]|[\p{Zl}\p{Zp}]/gu, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}

/** JSON in lines, to be read by people too: nothing in it steers a terminal. Its values are the same to every parser. */
export function inertJson(value: unknown): string {
  // Control characters below U+0020 are escaped already; the line feeds are those between members.
  return JSON.stringify(value, undefined, 2).replace(/[^\P{C}\n]|[\p{Zl}\p{Zp}]/gu, (character) =>
    Array.from(character.split(''), (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
  );
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(plainName(name));
}

function isKeyIdName(name: string): boolean {
  return plainName(name) === 'accesskeyid';
}

function plainName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

function keepTail(_whole: string, before: string, keyId: string): string {
  // A certificate's serial number is no key id, and no secret.
  return /^\d+$/.test(keyId) ? `${before}${keyId}` : `${before}${tail(keyId)}`;
}

/** The last four characters, where that leaves the most of it out. */
function tail(keyId: string): string {
  return keyId.length < 16 ? REDACTED : `${REDACTED}${keyId.slice(-4)}`;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
