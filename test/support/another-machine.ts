/** A run of the built program on what looks like another machine that shares this one's files. Takes root, and Linux. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CliResult, PROGRAM, runProgram } from './cli.ts';

const BOOT_ID = '/proc/sys/kernel/random/boot_id';

/** Whether there can be one here. */
export function hasAnotherMachine(): boolean {
  return spawnSync('unshare', ['--mount', 'sh', '-c', `mount --bind /dev/null ${BOOT_ID}`]).status === 0;
}

/**
 * @param folder where to write what the kernel of that machine says of itself
 * @param program default: the built one
 */
export async function runOnAnotherMachine(
  folder: string,
  args: readonly string[],
  options: Parameters<typeof runProgram>[2],
  program: readonly string[] = PROGRAM,
): Promise<CliResult> {
  const boot = join(folder, 'boot-id');
  writeFileSync(boot, '00000000-0000-4000-8000-000000000005\n');
  const script = `mount --bind "$0" ${BOOT_ID} && exec "$@"`;
  return await runProgram('unshare', ['--mount', 'sh', '-c', script, boot, ...program, ...args], options);
}
