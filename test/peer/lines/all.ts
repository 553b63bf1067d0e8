/** The table that both programs are run over. */
import type { Line } from '../support/compare.ts';
import { ANSWER_LINES } from './answers.ts';
import { CERTIFICATE_LINES } from './certificates.ts';
import { GRAMMAR_LINES } from './grammar.ts';
import { SIGNATURE_LINES } from './signatures.ts';
import { SURROUNDINGS_LINES } from './surroundings.ts';
import { UPDATE_LINES } from './update.ts';
import { VENDING_LINES } from './vending.ts';

/** By what they are about. Those with keys in tokens stand by themselves: tokens.ts. */
export const LINES: Readonly<Record<string, readonly Line[]>> = {
  'read-certificate-data': CERTIFICATE_LINES,
  'sign-string': SIGNATURE_LINES,
  'credential-process': VENDING_LINES,
  update: UPDATE_LINES,
  'how a line is read': GRAMMAR_LINES,
  'what the service answers': ANSWER_LINES,
  'what the environment says': SURROUNDINGS_LINES,
};
