/** `init`: a profile of the AWS config file by which every AWS tool gets its credentials here. */
// Tests: test/cli/init.test.ts
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CREDENTIAL_KEYS } from '../options/config/credential-keys.ts';
import { ConfigFile, readConfigText } from '../options/config/file.ts';
import { PROFILE_NAME_HINT, isCredentialsProfile } from '../options/config/profile-name.ts';
import { configPath, credentialsPath } from '../options/config/shared.ts';
import { vendingOptions } from '../options/vending.ts';
import { editSharedFile } from '../output/credentials-file.ts';
import { blockText, otherKeys, withBlock, withoutBlock } from '../output/profile-block.ts';
import type { ProfileBlock } from '../output/profile-block.ts';
import { unifiedDiff } from '../output/unified-diff.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
import { promptLine } from '../platform/prompt.ts';
import { fromProcess } from '../sources/credential-process.ts';
import type { Io, RunCommand } from './command.ts';
import { settled } from './init/ask.ts';
import { BARE_PATH, commandLine, programWords } from './init/program.ts';
import { settingsOf } from './init/settings.ts';

export const run: RunCommand<'init'> = async (flags, io) => {
  const { profile = 'default' } = flags;
  checkProfile(profile);
  const path = configPath(io.env);
  if (flags.remove === true) return await remove(profile, path, flags, io);
  const given = await settled(flags, io, flags.print !== true && flags.diff !== true);
  const { session, warnings } = vendingOptions(given, io.env);
  for (const warning of warnings) io.log.warn(warning);
  const settings = settingsOf(given);
  const words = await programWords({ program: io.program, node: process.execPath, platform: process.platform });
  if (/[/\\]_npx[/\\]/.test(io.program))
    io.log.warn(`${io.program} is in the cache of npx, which may be emptied: install the package, and run init again`);
  // A name without blanks needs no quotes on any system.
  const line = commandLine([...words, 'credential-process', '--config-profile', profile], process.platform);
  const block: ProfileBlock = {
    profile,
    settings: new Map([['credential_process', line], ...settings]),
    defaults: new Map([['region', session.region]]),
  };
  if (flags.print === true) return io.stdout(blockText(block));
  const edit = (text: string, file: string): string => {
    refuseOthers(text, file, profile, io.env);
    return withBlock(text, block, file);
  };
  const before = readText(path);
  const after = asConfig(() => edit(before, path));
  const diff = unifiedDiff(before, after, path);
  if (flags.diff === true) return io.stdout(diff);
  if (diff === '') io.log.info(`profile ${profile} in ${path} is like this already`);
  else if (flags.yes !== true) {
    io.announce(diff);
    await confirm(`write this to ${path}?`);
  }
  await check(profile, after, line, io);
  if (diff !== '') await write(path, edit);
  io.stdout(`${path}\n`);
  return tellOfOthers(profile, io);
};

type Modes = { readonly diff?: boolean | undefined; readonly yes?: boolean | undefined };

async function remove(profile: string, path: string, { diff: isDiff, yes }: Modes, io: Io): Promise<void> {
  const before = readText(path);
  const after = asConfig(() => withoutBlock(before, profile, path));
  if (after === undefined) return io.log.info(`profile ${profile} in ${path} has nothing that init has written`);
  const diff = unifiedDiff(before, after, path);
  if (isDiff === true) return io.stdout(diff);
  if (yes !== true) {
    io.announce(diff);
    await confirm(`remove this from ${path}?`);
  }
  await write(path, (text, file) => withoutBlock(text, profile, file) ?? text);
  return io.stdout(`${path}\n`);
}

/** Refuses names that not all tools find, and that a line or a mark could not hold as they are. */
function checkProfile(profile: string): void {
  if (isCredentialsProfile(profile) && !/\s[#;]/.test(profile)) return;
  throw new RolesAnywhereError(
    'ERR_CONFIG_PROFILE',
    `--profile ${JSON.stringify(profile)} cannot be a profile of every AWS tool`,
    { hint: PROFILE_NAME_HINT, flag: '--profile' },
  );
}

function readText(path: string): string {
  try {
    return readConfigText(path).text;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw error;
  }
}

/**
 * Refuses a profile that has credentials of another kind: which of them counts differs from SDK to SDK.
 *
 * @throws RolesAnywhereError `ERR_PROFILE_IN_USE`
 */
function refuseOthers(text: string, path: string, profile: string, env: Io['env']): void {
  const own = [...otherKeys(text, profile, path)].filter(
    ([name]) => CREDENTIAL_KEYS.test(name) || name.startsWith('rolesanywhere_'),
  );
  const shared = credentialsPath(env);
  const section = new ConfigFile({ path: shared, text: readText(shared) }).find('key', profile);
  const others = [...(section?.lines(CREDENTIAL_KEYS) ?? [])];
  const all = [
    ...own.map(([name, line]) => `${name} in line ${line} of ${path}`),
    ...others.map(([name, line]) => `${name} in line ${line} of ${shared}`),
  ];
  if (all.length === 0) return;
  throw new RolesAnywhereError('ERR_PROFILE_IN_USE', `profile ${profile} has other credentials: ${all.join(', ')}`, {
    hint: 'remove these lines if they are of no use any more, or take another profile with --profile NAME',
    flag: '--profile',
  });
}

/** What the editing of credentials files has against a text, said of this one. */
function asConfig<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw configError(error);
  }
}

function configError(error: unknown): unknown {
  if (!(error instanceof RolesAnywhereError) || error.code !== 'ERR_CREDENTIALS_FILE') return error;
  return new RolesAnywhereError('ERR_CONFIG_FILE', error.message, { hint: error.hint, cause: error });
}

async function write(path: string, edit: (text: string, file: string) => string): Promise<void> {
  try {
    await editSharedFile({ file: path }, edit);
  } catch (error) {
    throw configError(error);
  }
}

async function confirm(question: string): Promise<void> {
  const answer = await promptLine(`${question} [y/N] `);
  if (answer === undefined)
    throw new RolesAnywhereError('ERR_TERMINAL', 'there is no terminal to ask at whether to write', {
      hint: 'give --yes to write without asking, or --print to see what would be written',
    });
  if (!/^y(?:es)?$/i.test(answer))
    throw new RolesAnywhereError('ERR_INTERRUPTED', 'nothing was written, as it was not confirmed');
}

/**
 * Runs the line as cron would, with the file as it is going to be.
 *
 * @throws RolesAnywhereError `ERR_SOURCE_CREDENTIALS`
 */
async function check(profile: string, text: string, line: string, { env, log }: Io): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'roles-anywhere-init-'));
  try {
    const file = join(folder, 'config');
    writeFileSync(file, text, { mode: 0o600 });
    const bare = process.platform === 'win32' ? env : { PATH: BARE_PATH, HOME: env['HOME'] };
    const { expiration } = await fromProcess(line, {
      env: { ...bare, AWS_CONFIG_FILE: file },
      profile,
      path: file,
      cwd: '/',
    });
    log.info(`the line gives credentials${expiration === undefined ? '' : ` until ${expiration.toISOString()}`}`);
  } catch (error) {
    if (!(error instanceof RolesAnywhereError)) throw error;
    throw new RolesAnywhereError(error.code, error.message, {
      hint: `nothing was written. It was run with PATH=${BARE_PATH} and HOME alone, as cron would: variables of this shell, such as AWS_ENDPOINT_URL or a proxy, do not count there. What it said is above, --print shows the profile, and doctor with the same flags says more`,
      cause: error,
    });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Variables that come before the profile. */
function tellOfOthers(profile: string, { env, log }: Io): void {
  if (env['AWS_ACCESS_KEY_ID'])
    log.warn('AWS_ACCESS_KEY_ID is set, and its credentials come before those of a profile: unset it');
  const chosen = env['AWS_PROFILE'] || env['AWS_DEFAULT_PROFILE'];
  if (chosen && chosen !== profile) log.warn(`AWS_PROFILE chooses profile ${chosen}, not ${profile}`);
  else if (!chosen && profile !== 'default')
    log.info(
      `choose it with --profile ${commandLine([profile], process.platform)} of the AWS CLI, or with AWS_PROFILE`,
    );
}
