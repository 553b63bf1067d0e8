/** All targets of the fuzzer, by name. */
import type { OpenTarget } from './harness/target.ts';
import { CONFIGURATION } from './targets/config.ts';
import { KEYS } from './targets/keys.ts';
import { NAMES } from './targets/names.ts';

export const TARGETS: Readonly<Record<string, OpenTarget>> = { ...KEYS, ...NAMES, ...CONFIGURATION };
