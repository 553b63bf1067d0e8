/** What may be shown of a setting's value. */
// Tests: test/options/config/shown-setting.test.ts, test/options/config/configured.test.ts
import { REDACTED, shownUrl } from '../../platform/redact.ts';
import { flagRow, isFlag } from '../flags.ts';
import type { FlagName, FlagValue } from '../flags.ts';
import { itemText } from '../items.ts';
import { joinWords } from './words.ts';

/** The part of a value that may be shown: secrets can also be in URLs and URIs. */
export function shownSetting(flag: FlagName, value: FlagValue): FlagValue {
  if (value === '' || typeof value === 'boolean') return value;
  if (flagRow(flag).secret === true) return REDACTED;
  if (typeof value === 'object') return value.map((item) => withoutSecrets(itemText(item)));
  return typeof value === 'string' ? withoutSecrets(value) : value;
}

/** What a variable, or a key of a file, that holds a secret is called at its end. A URI's `token` is the label of one. */
const SECRET = String.raw`(?:secret_access_key|secret|password|passphrase|(?<!pkcs11:|;)token|pin)`;
const SECRET_NAME = new RegExp(`${SECRET}$`, 'i');
const NAMED_SECRET = new RegExp(String.raw`${SECRET}\s*[=:]`, 'i');

/** A flag that is given a secret, and all behind it, within what was read as one word: a quote of the line is not where it belongs. */
const INNER_SECRET = /(\s--?(?:[\w-]*(?:secret|password|passphrase|token|pin)|proxy)(?:\s+|=)).*/is;

/**
 * The words of a command line as they may be shown: without what its flags give as passwords and the like, without the
 * values of variables of such names, and without all that follows an equals sign or a colon of its own: a line of the file
 * was joined to this one, and its key may have gone into the word before.
 */
export function shownWords(words: readonly string[]): string[] {
  let isJoined = false;
  let isNextSecret = false;
  return words.map((word) => {
    if (isJoined) return REDACTED;
    if (/^[=:]/.test(word)) {
      isJoined = true;
      return word.length === 1 ? word : `${word.charAt(0)}${REDACTED}`;
    }
    if (isNextSecret) {
      isNextSecret = false;
      return REDACTED;
    }
    const [, name, value] = /^--?([^=:]+)(?:[=:](.*))?$/s.exec(word) ?? [];
    if (name !== undefined && isSecretFlag(name)) {
      isNextSecret = value === undefined || value === '';
      return isNextSecret ? word : `${word.slice(0, word.length - (value?.length ?? 0))}${REDACTED}`;
    }
    const named = NAMED_SECRET.exec(word);
    if (named === null) return withoutSecrets(word);
    const end = named.index + named[0].length;
    isNextSecret = end === word.length;
    return withoutSecrets(isNextSecret ? word : `${word.slice(0, end)}${REDACTED}`);
  });
}

/** Also what is no flag, but ends like a secret: a flag of another program, or one that the name of a key of the file was joined to. */
function isSecretFlag(name: string): boolean {
  return isFlag(name) ? flagRow(name).secret === true : SECRET_NAME.test(name);
}

function withoutSecrets(text: string): string {
  if (/^https?:/i.test(text) && URL.canParse(text) && /@/.test(text)) return shownUrl(new URL(text));
  // To the end of the attribute, if it is one of a query; else all that may be of it.
  return text.replace(INNER_SECRET, `$1${REDACTED}`).replaceAll(/(pin-value=)[^&]*/gi, `$1${REDACTED}`);
}

/** Nothing in a value may drive the terminal or pass for another line. */
export function shownText(value: FlagValue): string {
  const text = typeof value === 'object' ? joinWords(value.map(itemText)) : String(value);
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  return text === '' || /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) ? JSON.stringify(text) : text;
}
