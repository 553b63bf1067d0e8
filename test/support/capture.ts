/**
 * What the programs under test say on standard error over a whole run, and the
 * secrets that were in play: kept in files, and compared when the run is over
 * (test/global-setup.ts).
 */
import { appendFileSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Set for the run: a directory of its own. */
export const CAPTURE_VARIABLE = 'ROLES_ANYWHERE_TEST_CAPTURE';

/** Keeps what a program said where it must not say a secret. */
export function captureOutput(text: string): void {
  append('out', text);
}

/** Keeps secrets out of what a program was given, and what it printed as its result. */
export function captureSecrets(args: readonly string[], env: Readonly<Record<string, string>>, result = ''): void {
  const secrets = [...secretsIn(args, env), ...secretsOf(result)];
  append('secrets', secrets.map((secret) => `${JSON.stringify(secret)}\n`).join(''));
}

/** Passwords and PINs on a command line, in an environment, and in the URLs there. */
export function secretsIn(args: readonly string[], env: Readonly<Record<string, string>>): string[] {
  const given = args.flatMap((arg, index) => {
    const [, name, value] = /^--([\w-]*(?:password|pin|token))(?:=(.*))?$/s.exec(arg) ?? [];
    return name === undefined ? [] : [value ?? args[index + 1] ?? ''];
  });
  const named = Object.entries(env).flatMap(([name, value]) =>
    /PASSWORD|PIN$|SECRET|_TOKEN$/.test(name) ? [value] : [],
  );
  const inUrls = [...args, ...Object.values(env)].flatMap((text) =>
    [...text.matchAll(/:\/\/[^\s/:@]*:([^\s/@]+)@/g)].flatMap(([, password = '']) => [
      password,
      decodeURIComponent(password),
    ]),
  );
  const pins = [...args, ...Object.values(env)].flatMap((text) =>
    [...text.matchAll(/pin-value=([^&;\s]+)/g)].map(([, pin = '']) => pin),
  );
  return [...given, ...named, ...inUrls, ...pins].filter(isTelling);
}

/** Secret keys and session tokens in JSON, as `credential_process` and the servers print them. */
export function secretsOf(result: string): string[] {
  const member = /"(?:SecretAccessKey|SessionToken|Token|secretAccessKey|sessionToken)"\s*:\s*"([^"]+)"/g;
  return [...result.matchAll(member)].map(([, value = '']) => value).filter(isTelling);
}

/** Whether a text can only be there because it leaked: no word, and long enough not to come about by chance. */
function isTelling(text: string): boolean {
  return text.length >= 8 && /[^a-z-]/.test(text) && !/^(?:\/|\.\/|env:|https?:)/.test(text);
}

/** The secrets that `output` holds, each with the text around it, the secret left out. */
export function leaksIn(output: string, secrets: Iterable<string>): string[] {
  return [...new Set(secrets)].flatMap((secret) => {
    const at = output.indexOf(secret);
    if (at < 0) return [];
    const [before, after] = [
      output.slice(Math.max(0, at - 80), at),
      output.slice(at + secret.length, at + secret.length + 40),
    ];
    return [`${before}<<a secret of ${secret.length} characters>>${after}`];
  });
}

/** Everything that was captured in a directory. */
export function captured(directory: string): { output: string; secrets: string[] } {
  const read = (kind: string): string =>
    readdirSync(directory)
      .filter((file) => file.endsWith(`.${kind}`))
      .map((file) => readFileSync(join(directory, file), 'utf8'))
      .join('');
  const lines = read('secrets').split('\n').filter(Boolean);
  return { output: read('out'), secrets: lines.map((line) => String(JSON.parse(line))) };
}

function append(kind: string, text: string): void {
  const directory = process.env[CAPTURE_VARIABLE];
  if (directory !== undefined && text !== '') appendFileSync(join(directory, `${process.pid}.${kind}`), text);
}
