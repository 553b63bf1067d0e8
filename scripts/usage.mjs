// What a script says of itself: the comment at its head. For `--help`, and below what is wrong with its arguments.
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

/** @returns {string} the comment that a file begins with, without its marks */
export function usageOf(file) {
  const text = readFileSync(file, 'utf8').replace(/^#!.*\n/, '');
  const [comment = ''] = /^(?:\/\*\*?[^]*?\*\/|(?:\/\/.*\n)+)/.exec(text) ?? [];
  return comment
    .replace(/^\/\*\*?/, '')
    .replace(/\*\/$/, '')
    .replaceAll(/^(?:\/\/| \*)? ?/gm, '')
    .trim();
}

/** Whether an error says that the arguments are wrong: Node's, or one with our code. */
export function isUsageError(error) {
  return error instanceof Error && /^ERR_(?:PARSE_ARGS_|USAGE$)/.test(String(error.code));
}

/** Shows the usage of a file, below an error if there is one, and ends: with status 0 when it was asked for, else 2. */
export function endWithUsage(file, error) {
  if (error === undefined) console.log(usageOf(file));
  else console.error(`error: ${error.message}\n\n${usageOf(file)}`);
  process.exit(error === undefined ? 0 : 2);
}

/** Reads the arguments of a script as parseArgs does; `--help` and what is wrong end it. */
export function readArguments(file, options, allowPositionals = false) {
  try {
    const parsed = parseArgs({ options: { ...options, help: { type: 'boolean', short: 'h' } }, allowPositionals });
    if (parsed.values.help) endWithUsage(file);
    return parsed;
  } catch (error) {
    if (!isUsageError(error)) throw error;
    return endWithUsage(file, error);
  }
}
