/** `--print-config`: each value that a command would run with, where it is from, and what gave way to it. */
// Tests: test/options/config/configured.test.ts
import { REDACTED, shownUrl } from '../platform/redact.ts';
import type { Configured } from '../options/config/configured.ts';
import { describeOrigin } from '../options/config/sources.ts';
import type { Setting } from '../options/config/sources.ts';
import { joinWords } from '../options/config/words.ts';
import { flagRow } from '../options/flags.ts';
import type { FlagName, FlagValue } from '../options/flags.ts';
import { itemText } from '../options/items.ts';

/** Flags about the output itself. */
const SILENT: ReadonlySet<FlagName> = new Set(['print-config']);

/** The text for `--print-config=FORMAT`. No secret is in it. */
export function printConfig({ parsed, settings, unused, others: plain }: Configured): string {
  const rows = [...settings].filter(([flag]) => !SILENT.has(flag)).map(([flag, setting]) => row(flag, setting));
  const others = unused.map(({ flag, setting, by }) => ({ ...row(flag, setting), by }));
  if (parsed.flags['print-config'] === 'json')
    return `${JSON.stringify({ command: parsed.command, settings: rows, unused: others, others: plain }, undefined, 2)}\n`;
  const width = Math.max(0, ...[...rows, ...others].map(({ flag }) => flag.length));
  const line = (one: (typeof rows)[number], note = ''): string =>
    `--${one.flag.padEnd(width)}  ${shownText(one.value)}  (${note}${describeOrigin(one.source)})\n`;
  return [
    ...rows.map((one) => line(one)),
    ...plain.map(({ name, value, origin }) => `  ${name.padEnd(width)}  ${value}  (${describeOrigin(origin)})\n`),
    ...others.map((one) =>
      line(one, `not used, ${one.by === one.flag ? 'as it is' : `as --${one.by} is`} given above: `),
    ),
  ].join('');
}

function row(
  flag: FlagName,
  { value, origin: source }: Setting,
): { flag: FlagName; value: FlagValue; source: Setting['origin'] } {
  return { flag, value: shown(flag, value), source };
}

/** The part of a value that may be shown: secrets can also be in URLs and URIs. */
function shown(flag: FlagName, value: FlagValue): FlagValue {
  if (value === '' || typeof value === 'boolean') return value;
  if (flagRow(flag).secret === true) return REDACTED;
  if (typeof value === 'object') return value.map((item) => withoutSecrets(itemText(item)));
  return typeof value === 'string' ? withoutSecrets(value) : value;
}

function withoutSecrets(text: string): string {
  if (/^https?:/i.test(text) && URL.canParse(text) && /@/.test(text)) return shownUrl(new URL(text));
  return text.replaceAll(/(pin-value=)[^&;,]*/gi, `$1${REDACTED}`);
}

/** Nothing in a value may drive the terminal or pass for another line. */
function shownText(value: FlagValue): string {
  const text = typeof value === 'object' ? joinWords(value.map(itemText)) : String(value);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text === '' || /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) ? JSON.stringify(text) : text;
}
