/** Which of several sources counts: flags before the environment before the profile, and what excludes each other. */
// Tests: test/options/config/configured.test.ts
import { CONFLICTS, STORE_CONFLICTS } from '../flags.ts';
import type { FlagName, FlagValue } from '../flags.ts';
import type { Setting, Source } from './sources.ts';

/** A value that a source gives and that does not count. */
export interface Unused {
  readonly flag: FlagName;
  readonly setting: Setting;
  /** The flag that it gave way to: itself, from a source that ranks higher, or one that excludes it. */
  readonly by: FlagName;
}

export interface Settled {
  readonly settings: Source;
  readonly unused: readonly Unused[];
  /** Two flags that exclude each other, and the source that gives both. */
  readonly conflict?: { readonly flags: readonly [FlagName, FlagName]; readonly source: Source };
}

/**
 * Merges sources, the highest first. A source displaces what its flags
 * exclude below it; within one source that is a conflict. What only AWS's helper has exclude each other is displaced too,
 * since it says where a certificate is, and within one source is for the parser to judge.
 */
export function settle(sources: readonly Source[]): Settled {
  const settings = new Map<FlagName, Setting>();
  const unused: Unused[] = [];
  for (const source of sources) {
    const flags = CONFLICTS.find((pair) => pair.every((flag) => source.has(flag)));
    if (flags !== undefined) return { settings, unused, conflict: { flags, source } };
    const added: [FlagName, Setting][] = [];
    for (const [flag, setting] of source) {
      const excluding = excludedBy(flag).filter((other) => settings.has(other));
      const by = settings.has(flag) ? flag : excluding.find((other) => settings.get(other)?.value !== '');
      if (by === undefined) {
        added.push([flag, setting]);
        // What is given but empty excludes nothing: it counts as not given.
        for (const other of excluding) settings.delete(other);
      } else {
        unused.push({ flag, setting, by });
      }
    }
    for (const [flag, setting] of added) settings.set(flag, setting);
  }
  return { settings, unused };
}

function excludedBy(flag: FlagName): FlagName[] {
  return [...CONFLICTS, ...STORE_CONFLICTS].flatMap(([one, other]) =>
    one === flag ? [other] : other === flag ? [one] : [],
  );
}

/** The values that count, for a command. Those of AWS's variables it reads by itself. */
export function valuesOf(settings: Source): Partial<Record<FlagName, FlagValue>> {
  return Object.fromEntries([...settings].flatMap(([flag, { value, passive }]) => (passive ? [] : [[flag, value]])));
}
