/** The table of docs/clients.md: written by `npm run clients`, read by the tests. */

const BEGIN = '<!-- The table: written by `npm run clients`. -->';
const END = '<!-- The table ends. -->';

export interface Row {
  readonly name: string;
  readonly version: string;
  /** Where it is from. */
  readonly from: string;
  /** What is said of each way, in the order of WAYS. */
  readonly ways: readonly string[];
}

/** Puts the table in the place of the one that is there. */
export function writeTable(page: string, ways: readonly string[], rows: readonly Row[]): string {
  const [before, after] = halves(page);
  const lines = [
    `| client | version | from | ${ways.join(' | ')} |`,
    `| --- | --- | --- |${' --- |'.repeat(ways.length)}`,
    ...rows.map(({ name, version, from, ways: cells }) => `| ${[name, version, from, ...cells].join(' | ')} |`),
  ];
  return `${before}${BEGIN}\n\n${lines.join('\n')}\n\n${END}${after}`;
}

export function readTable(page: string): Row[] {
  const [, , table] = halves(page);
  return table
    .split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) => {
      const [name = '', version = '', from = '', ...ways] = line
        .split('|')
        .slice(1, -1)
        .map((text) => text.trim());
      return { name, version, from, ways };
    });
}

/** What is before the table, what is behind it, and it. */
function halves(page: string): [string, string, string] {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(END);
  if (begin < 0 || end < begin) throw new Error('docs/clients.md has lost the marks of its table');
  return [page.slice(0, begin), page.slice(end + END.length), page.slice(begin + BEGIN.length, end)];
}
