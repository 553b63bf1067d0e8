/** What a process and those that it started hold: memory, descriptors, listeners. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

export interface Sample {
  readonly rssMiB: number;
  readonly descriptors: number;
  readonly listeners: number;
}

export function sampleOf(pid: number): Sample {
  const listening = new Set(
    ['tcp', 'tcp6'].flatMap((table) =>
      readFileSync(`/proc/${pid}/net/${table}`, 'utf8')
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.trim().split(/\s+/))
        .filter(([, , , state]) => state === '0A')
        .map((fields) => `socket:[${fields[9] ?? ''}]`),
    ),
  );
  let [rssMiB, descriptors, listeners] = [0, 0, 0];
  for (const one of family(pid)) {
    rssMiB += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0) / 1024;
    const open = readdirSync(`/proc/${one}/fd`);
    descriptors += open.length;
    listeners += open.filter((fd) => listening.has(target(`/proc/${one}/fd/${fd}`))).length;
  }
  return { rssMiB, descriptors, listeners };
}

function family(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number);
  return [pid, ...children.flatMap((child) => family(child))];
}

function target(link: string): string {
  try {
    return readlinkSync(link);
  } catch {
    return ''; // closed meanwhile
  }
}

/** Whether something grew from the second quarter of the samples to the last: what, or undefined. */
export function growthIn(samples: readonly Sample[]): string | undefined {
  const quarter = Math.floor(samples.length / 4);
  const mean = (part: readonly Sample[], of: (sample: Sample) => number): number =>
    part.reduce((sum, sample) => sum + of(sample), 0) / part.length;
  const grown = (of: (sample: Sample) => number): [number, number] => [
    mean(samples.slice(quarter, 2 * quarter), of),
    mean(samples.slice(-quarter), of),
  ];
  const [rssBefore, rss] = grown(({ rssMiB }) => rssMiB);
  const [descriptorsBefore, descriptors] = grown((sample) => sample.descriptors);
  const listeners = new Set(samples.map((sample) => sample.listeners));
  if (listeners.size > 1) return `listeners: ${[...listeners].join(', ')}`;
  if (rss > rssBefore * 1.15 + 4) return `memory: ${rssBefore.toFixed(1)} MiB, and then ${rss.toFixed(1)}`;
  // Connections of clients come and go.
  if (descriptors > descriptorsBefore + 15)
    return `descriptors: ${descriptorsBefore.toFixed(0)}, and then ${descriptors.toFixed(0)}`;
  return undefined;
}
