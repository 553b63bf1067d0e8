/** `--print-config`: each value that a command would run with, where it is from, and what gave way to it. */
// Tests: test/options/config/configured.test.ts
import type { Configured } from '../options/config/configured.ts';
import { describeOrigin } from '../options/config/sources.ts';
import type { Setting } from '../options/config/sources.ts';
import { shownSetting, shownText } from '../options/config/shown-setting.ts';
import type { FlagName, FlagValue } from '../options/flags.ts';
import { inertJson } from '../platform/redact.ts';

/** Flags about the output itself. */
const SILENT: ReadonlySet<FlagName> = new Set(['print-config']);

/** The text for `--print-config=FORMAT`. No secret is in it. */
export function printConfig({ parsed, settings, unused, others: plain }: Configured): string {
  const rows = [...settings].filter(([flag]) => !SILENT.has(flag)).map(([flag, setting]) => row(flag, setting));
  const others = unused.map(({ flag, setting, by }) => ({ ...row(flag, setting), by }));
  if (parsed.flags['print-config'] === 'json')
    return `${inertJson({ command: parsed.command, settings: rows, unused: others, others: plain })}\n`;
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
  return { flag, value: shownSetting(flag, value), source };
}
