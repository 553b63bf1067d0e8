/** The difference of two texts of which one place differs. Tests: test/output/profile-block.test.ts */

/** One hunk in the unified form, without lines around it: they are none of what changes, and may hold secrets. */
export function unifiedDiff(before: string, after: string, name: string): string {
  if (before === after) return '';
  const [old, fresh] = [linesOf(before), linesOf(after)];
  let head = 0;
  while (head < Math.min(old.length, fresh.length) && old[head] === fresh[head]) head++;
  let tail = 0;
  while (tail < Math.min(old.length, fresh.length) - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail++;
  const [gone, made] = [old.slice(head, old.length - tail), fresh.slice(head, fresh.length - tail)];
  // A range of no lines is named by the line before it.
  const range = (lines: readonly string[]): string => `${lines.length === 0 ? head : head + 1},${lines.length}`;
  return [
    `--- ${name}\n+++ ${name}\n@@ -${range(gone)} +${range(made)} @@\n`,
    ...gone.map((line) => shown('-', line)),
    ...made.map((line) => shown('+', line)),
  ].join('');
}

function linesOf(text: string): string[] {
  return text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
}

function shown(sign: string, line: string): string {
  return line.endsWith('\n') ? `${sign}${line}` : `${sign}${line}\n\\ No newline at end of file\n`;
}
