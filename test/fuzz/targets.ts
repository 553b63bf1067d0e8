/** All targets of the fuzzer, by name. */
import type { OpenTarget } from './harness/target.ts';
import { ANSWERS } from './targets/answers.ts';
import { CHECKUPS } from './targets/checkups.ts';
import { CONFIGURATION } from './targets/config.ts';
import { DOCUMENTS } from './targets/documents.ts';
import { KEYS } from './targets/keys.ts';
import { NAMES } from './targets/names.ts';
import { SERVERS } from './targets/servers.ts';
import { WIRES } from './targets/wires.ts';

export const TARGETS: Readonly<Record<string, OpenTarget>> = {
  ...KEYS,
  ...NAMES,
  ...CONFIGURATION,
  ...ANSWERS,
  ...DOCUMENTS,
  ...CHECKUPS,
  ...SERVERS,
  ...WIRES,
};
