/** The files of an identity: who may read and who may replace them. What is in them is identity.ts's. */
// Tests: test/doctor/broken.heavy.test.ts
import { readlinkSync, statSync } from 'node:fs';
import type { Stats } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { FlagName } from '../options/flags.ts';
import type { FlagValues } from '../options/flag-values.ts';
import type { Notebook } from './notebook.ts';

/** Flags of files that hold a password or a PIN. */
const SECRETS = [
  'pkcs8-password-file',
  'pkcs12-password-file',
  'tpm-key-password-file',
  'tpm-parent-password-file',
  'tpm-hierarchy-password-file',
  'pkcs11-pin-file',
] as const satisfies readonly FlagName[];

const MATERIAL = ['certificate', 'private-key', 'intermediates'] as const satisfies readonly FlagName[];

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
const STICKY = 0o1000;

/** Whether a value of these flags is a path, and not standard input, a variable or a place in hardware. */
function isPath(value: string | undefined): value is string {
  return value !== undefined && value !== '-' && !/^(?:env|pkcs11|handle|nv|spiffe):/i.test(value);
}

/** Looks at owners and modes. Windows has others, which are not looked at. */
export function checkFiles(flags: FlagValues, notes: Notebook, platform: NodeJS.Platform = process.platform): void {
  if (platform === 'win32') {
    notes.leave('who may read and write the files: Windows says it in access control lists, which are not read here');
    return;
  }
  for (const flag of MATERIAL) {
    const path = flags[flag];
    if (!isPath(path)) continue;
    const stats = statOf(path);
    // Whatever is not there is met when it is read.
    if (stats === undefined) continue;
    notes.fact('certificate', `--${flag}`, `${path}, mode ${modeText(stats)}, of ${ownerText(stats)}`);
    checkWritable(flag, path, stats, notes);
    if (flag === 'private-key') checkOwner(flag, path, stats, notes);
  }
  for (const flag of SECRETS) {
    const path = flags[flag];
    if (!isPath(path)) continue;
    const mode = (statOf(path)?.mode ?? 0) & 0o777;
    if ((mode & 0o044) !== 0)
      notes.find(
        'WARN_SECRET_READABLE',
        `--${flag} ${path} can be read by others than its owner (mode 0${mode.toString(8)})`,
      );
  }
}

function statOf(path: string): Stats | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

/** Whoever may write to a folder may put another file in the place of one in it, unless the folder is sticky. */
function checkWritable(flag: FlagName, path: string, stats: Stats, notes: Notebook): void {
  if (isWritable(stats))
    notes.find(
      'WARN_FILE_WRITABLE',
      `--${flag} ${path} can be written by others than its owner (mode ${modeText(stats)})`,
    );
  for (let folder = dirname(resolve(path)); ; folder = dirname(folder)) {
    const above = statOf(folder);
    if (above !== undefined && (above.mode & STICKY) === 0 && isWritable(above)) {
      notes.find(
        'WARN_FILE_WRITABLE',
        `--${flag} ${path} can be replaced by others than its owner: they may write to the folder ${folder} (mode ${modeText(above)})`,
      );
      return;
    }
    if (dirname(folder) === folder) return;
  }
}

/** A group that bears its owner's number is the owner's own. */
function isWritable({ mode, uid, gid }: Stats): boolean {
  return (mode & OTHERS_WRITE) !== 0 || ((mode & GROUP_WRITES) !== 0 && gid !== uid && gid !== 0);
}

function modeText({ mode }: Stats): string {
  return `0${(mode & 0o777).toString(8)}`;
}

function ownerText({ uid }: Stats): string {
  return uid === process.geteuid?.() ? 'this user' : `user ${uid}`;
}

function checkOwner(flag: FlagName, path: string, { uid }: Stats, notes: Notebook): void {
  const own = process.geteuid?.();
  if (own === undefined || uid === own || uid === 0) return;
  notes.find('WARN_FILE_OWNER', `--${flag} ${targetOf(path)} belongs to user ${uid}, and this is user ${own}`);
}

/** With its target, where it is a link. */
function targetOf(path: string): string {
  try {
    return `${path} (a link to ${readlinkSync(path)})`;
  } catch {
    return path;
  }
}
