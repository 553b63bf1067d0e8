/** A flag in words: those of help.ts, and what the table knows. */
// Tests: test/options/any-line.test.ts
import { choicesOf, commandRow } from './flags.ts';
import type { CommandName, FlagName } from './flags.ts';
import { FLAG_HELP } from './help.ts';
import type { Group } from './flag-help.ts';

/** The heading under which help shows a flag. */
export function groupOf(flag: FlagName): Group {
  return FLAG_HELP[flag].group;
}

/** A flag and what stands for its value: without the dashes. */
export function label(flag: FlagName): string {
  const { value } = FLAG_HELP[flag];
  if (value === undefined) return flag;
  return value.startsWith('[=') ? `${flag}${value}` : `${flag} ${value}`;
}

/** The effect of a flag, and what the table knows about it. */
export function describeFlag(flag: FlagName, command?: CommandName): string {
  const choices = choicesOf(flag, command);
  const notes = choices === undefined ? [] : [choices.join(', ')];
  if (command !== undefined) {
    const { defaults, required = [], perRole } = commandRow(command);
    const preset = defaults?.[flag];
    if (preset !== undefined) notes.push(`default ${String(preset)}`);
    for (const need of required.map((names) => [names].flat()).filter((names) => names.includes(flag))) {
      const others = need.filter((other) => other !== flag);
      if (perRole?.includes(flag) === true) notes.push('required, here or as a key of each --role');
      else notes.push(others.length === 0 ? 'required' : `this or ${others.map((other) => `--${other}`).join(' or ')}`);
    }
  }
  return `${FLAG_HELP[flag].text}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`;
}
