/** The form of the words about a flag, and the headings under which help shows flags. */
// Tests: test/docs/words.test.ts

export interface FlagHelp {
  /** Stands for the value, as in `--certificate FILE`. Booleans have none. */
  readonly value?: string | undefined;
  readonly group: Group;
  /** The effect of the flag, in lower case and without a full stop. Defaults, choices and `required` are added from the table. */
  readonly text: string;
}

/** The headings of flags, in the order in which help shows them. */
export const GROUPS = [
  'Identity',
  'Roles Anywhere',
  'Further roles',
  'Console',
  'Renewal',
  'Network',
  'Server',
  'Web console',
  'Credentials file',
  'Set-up',
  'Emulator',
  'Output',
  'Cache',
  'Link',
  'General',
] as const;

export type Group = (typeof GROUPS)[number];
