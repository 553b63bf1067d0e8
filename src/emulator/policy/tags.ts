/** Session tags: the rules for their keys and values, and their condition keys. */
// Tests: test/emulator/services/sts/assume-role.test.ts

/** STS's pattern and length of a session tag's value. */
const TAG_VALUE = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{0,256}$/u;
/** The same of a key. */
const TAG_KEY = /^[\p{L}\p{Z}\p{N}_.:/=+\-@]{1,128}$/u;

export function isTagKey(text: string): boolean {
  return TAG_KEY.test(text);
}

export function isTagValue(text: string): boolean {
  return TAG_VALUE.test(text);
}

/** Keys of the tags that a request sets: IAM User Guide, "Pass session tags in AWS STS". */
export function tagKeys(
  tags: Readonly<Record<string, string>>,
  transitive: readonly string[] = [],
): Record<string, string | readonly string[] | undefined> {
  const names = Object.keys(tags);
  return {
    ...Object.fromEntries(Object.entries(tags).map(([key, value]) => [`aws:RequestTag/${key}`, value])),
    'aws:TagKeys': names.length === 0 ? undefined : names,
    'sts:TransitiveTagKeys': transitive.length === 0 ? undefined : transitive,
  };
}
