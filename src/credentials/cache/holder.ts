/** Who holds a lock, and whether that process still runs. */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemCode } from '../../platform/files.ts';
import { parse } from './json.ts';

/** A process, told from any other that has or had the same number. */
export interface Holder {
  readonly pid: number;
  /** Where such numbers are given out: one boot of one machine, and a container there. */
  readonly space: string;
  /** When it began, as the system counts; empty where that is not known. */
  readonly began: string;
  /** Tells the locks of one process apart. */
  readonly turn: string;
}

/** This process as the holder of a lock. */
export function thisHolder(turn: string): Holder {
  return { pid: process.pid, space: space(), began: beginOf(process.pid) ?? '', turn };
}

export function parseHolder(text: string): Holder | undefined {
  const value = parse(text);
  if (value === undefined || !Number.isSafeInteger(value['pid'])) return undefined;
  if (!['space', 'began', 'turn'].every((name) => typeof value[name] === 'string')) return undefined;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every member was looked at
  return value as unknown as Holder;
}

/** Whether a holder is surely gone. Of another machine's or container's, nothing is known here. */
export function isGone({ pid, space: where, began }: Holder): boolean {
  if (where !== space() || pid <= 0) return false;
  if (!isRunning(pid)) return true;
  const now = beginOf(pid);
  return began !== '' && now !== undefined && now !== began;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return systemCode(error) === 'EPERM';
  }
}

/** Field 22 of /proc/PID/stat (proc(5)), and a zombie has ended. The name in field 2 may hold anything, brackets too. */
function beginOf(pid: number): string | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/.*\) /s, '').split(' ');
    return fields[0] === 'Z' ? 'ended' : fields[19];
  } catch {
    return undefined;
  }
}

let known: string | undefined;

function space(): string {
  const told = [
    () => readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim(),
    () => readlinkSync('/proc/self/ns/pid'),
  ];
  known ??= [hostname(), ...told.map((tell) => attempt(tell))].join(' ');
  return known;
}

function attempt(tell: () => string): string {
  try {
    return tell();
  } catch {
    return '';
  }
}
