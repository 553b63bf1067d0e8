/** `cache list`, `cache clear`, `cache path`: what `--cache` keeps. */
// Tests: test/cli/cache.test.ts
import { remainingOf } from '../credentials/cache/entry.ts';
import type { CacheEntry } from '../credentials/cache/entry.ts';
import { listEntries, tidy } from '../credentials/cache/file-store.ts';
import { cacheFolder } from '../credentials/cache/folder.ts';
import { readEntry } from '../credentials/cache/read-entry.ts';
import { RolesAnywhereError } from '../platform/errors.ts';
import { systemCode } from '../platform/files.ts';
import { inertJson } from '../platform/redact.ts';
import type { RunCommand } from './command.ts';

const ACTIONS = ['list', 'clear', 'path'];

export const run: RunCommand<'cache'> = async ({ json }, io) => {
  const { args, env, log } = io;
  const [action = ''] = args;
  if (!ACTIONS.includes(action))
    throw new RolesAnywhereError(
      'ERR_USAGE',
      action === '' ? 'cache takes an argument' : `cache ${action} is unknown`,
      {
        hint: `it is one of ${ACTIONS.join(', ')}`,
      },
    );
  const folder = cacheFolder(env);
  if (folder === undefined)
    throw new RolesAnywhereError('ERR_CACHE', 'there is no folder to keep credentials in', {
      hint: 'set XDG_RUNTIME_DIR or HOME to a directory of this user',
    });
  if (action === 'path') {
    io.stdout(`${folder}\n`);
  } else if (action === 'clear') {
    const sets = await reaching(folder, () => tidy(folder, Date.now(), true));
    log.info(`${sets === 1 ? 'one set' : `${sets} sets`} of credentials removed`);
  } else {
    const entries = await reaching(folder, () => listEntries(folder));
    const rows = entries.map(({ name, entry }) => rowOf(name, entry, Date.now()));
    io.stdout(json === true ? `${inertJson(rows)}\n` : rows.map((row) => textOf(row)).join(''));
  }
};

/** What is told of a set: nothing that is secret. */
interface Row {
  readonly name: string;
  readonly role: string;
  readonly session: string | undefined;
  readonly account: string | undefined;
  readonly certificate: string | undefined;
  readonly expiration: string;
  readonly state: 'valid' | 'expired' | 'file replaced';
}

function rowOf(name: string, entry: CacheEntry, now: number): Row {
  const { role, certificate, credentials } = entry;
  const isCurrent = readEntry(JSON.stringify(entry)) !== undefined;
  return {
    name,
    role,
    session: credentials.assumedRoleArn,
    account: credentials.accountId,
    certificate: certificate?.[0],
    expiration: credentials.expiration,
    state: remainingOf(entry, now) === 0 ? 'expired' : isCurrent ? 'valid' : 'file replaced',
  };
}

function textOf({ role, certificate, expiration, state }: Row): string {
  return `${expiration}  ${state}  ${role}  ${certificate ?? '-'}\n`;
}

async function reaching<T>(folder: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw new RolesAnywhereError(
      'ERR_CACHE',
      `cannot read or change ${folder} (${systemCode(cause) ?? 'unknown reason'})`,
      {
        hint: 'look whose it is, and which mode it has',
        cause,
      },
    );
  }
}
