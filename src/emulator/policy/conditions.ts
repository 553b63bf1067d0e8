/**
 * Condition operators: IAM User Guide, "IAM JSON policy elements: Condition
 * operators" (reference_policies_elements_condition_operators.html) and
 * "Conditions with multiple context keys or values"
 * (reference_policies_condition-logic-multiple-context-keys-or-values.html).
 */
// Tests: test/emulator/policy/evaluate.test.ts
import { BlockList, isIP } from 'node:net';
import type { ContextKeys } from './keys.ts';
import { type Variables, matches, matchesArn, resolve } from './patterns.ts';

type Test = (wanted: string, actual: string, variables: Variables) => boolean;

const stringTest =
  (compare: (wanted: string, actual: string) => boolean): Test =>
  (wanted, actual, variables) => {
    const text = resolve(wanted, variables);
    return text !== undefined && compare(text, actual);
  };
const equal = stringTest((wanted, actual) => wanted === actual);
const equalIgnoringCase = stringTest((wanted, actual) => wanted.toLowerCase() === actual.toLowerCase());

const orderTest =
  (read: (text: string) => number, compare: (actual: number, wanted: number) => boolean): Test =>
  (wanted, actual) =>
    compare(read(actual), read(wanted)); // NaN, which stands for what cannot be read, compares false

/** For each operator its test, and whether it holds when the test fails for every value. */
const OPERATORS: ReadonlyMap<string, { readonly test: Test; readonly negated: boolean }> = new Map([
  ...both('StringEquals', 'StringNotEquals', equal),
  ...both('StringEqualsIgnoreCase', 'StringNotEqualsIgnoreCase', equalIgnoringCase),
  ...both('StringLike', 'StringNotLike', matches),
  ...both('ArnEquals', 'ArnNotEquals', matchesArn), // ArnEquals behaves as ArnLike does, by the page above
  ...both('ArnLike', 'ArnNotLike', matchesArn),
  ...both('IpAddress', 'NotIpAddress', inNetwork),
  ['Bool', { test: equalIgnoringCase, negated: false }],
  ['BinaryEquals', { test: equal, negated: false }],
  ...ordered('Numeric', readNumber),
  ...ordered('Date', readDate),
]);

function both(name: string, opposite: string, test: Test): [string, { test: Test; negated: boolean }][] {
  return [
    [name, { test, negated: false }],
    [opposite, { test, negated: true }],
  ];
}

function ordered(type: string, read: (text: string) => number): [string, { test: Test; negated: boolean }][] {
  return [
    ...both(
      `${type}Equals`,
      `${type}NotEquals`,
      orderTest(read, (actual, wanted) => actual === wanted),
    ),
    [`${type}LessThan`, { test: orderTest(read, (actual, wanted) => actual < wanted), negated: false }],
    [`${type}LessThanEquals`, { test: orderTest(read, (actual, wanted) => actual <= wanted), negated: false }],
    [`${type}GreaterThan`, { test: orderTest(read, (actual, wanted) => actual > wanted), negated: false }],
    [`${type}GreaterThanEquals`, { test: orderTest(read, (actual, wanted) => actual >= wanted), negated: false }],
  ];
}

function readNumber(text: string): number {
  return /^[+-]?\d+(?:\.\d+)?$/.test(text.trim()) ? Number(text) : Number.NaN;
}

/** ISO 8601 as the W3C's profile has it, or seconds since the epoch; in milliseconds. */
function readDate(text: string): number {
  if (/^\d+$/.test(text)) return Number(text) * 1000;
  return /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/.test(text) ? Date.parse(text) : Number.NaN;
}

/** CIDR notation (RFC 4632, RFC 4291), or one address. */
function inNetwork(wanted: string, actual: string): boolean {
  const [address = '', prefix] = wanted.split('/');
  const family = isIP(address);
  const bits = prefix === undefined ? (family === 6 ? 128 : 32) : Number(prefix);
  if (family === 0 || isIP(actual) !== family) return false;
  const network = new BlockList();
  const type = family === 6 ? 'ipv6' : 'ipv4';
  network.addSubnet(address, bits, type);
  return network.check(actual, type);
}

interface Operator {
  readonly qualifier: 'ForAllValues' | 'ForAnyValue' | undefined;
  readonly base: string;
  readonly ifExists: boolean;
}

function parseOperator(text: string): Operator {
  const [, qualifier, base = '', ifExists] = /^(?:(ForAllValues|ForAnyValue):)?(.*?)(IfExists)?$/.exec(text) ?? [];
  return {
    qualifier: qualifier === 'ForAllValues' || qualifier === 'ForAnyValue' ? qualifier : undefined,
    base,
    ifExists: ifExists !== undefined,
  };
}

/** The fault of an operator or the values below it, as the service words it, or undefined. */
export function conditionProblem(text: string, keys: Readonly<Record<string, readonly string[]>>): string | undefined {
  const { qualifier, base, ifExists } = parseOperator(text);
  const known = OPERATORS.has(base) || (base === 'Null' && qualifier === undefined && !ifExists);
  if (!known) return `Syntax errors in policy: Invalid Condition type : ${text}`;
  for (const [key, values] of Object.entries(keys)) {
    if (!/^[^:\s]+:.+$/.test(key)) return `Invalid condition key: ${key}.`;
    const unreadable = values.find((value) => !isReadable(base, value));
    if (unreadable !== undefined) return `Syntax errors in policy: ${base} cannot be compared with "${unreadable}"`;
  }
  return undefined;
}

function isReadable(base: string, value: string): boolean {
  if (value.includes('${')) return true;
  if (base === 'Bool' || base === 'Null') return /^(?:true|false)$/i.test(value);
  if (base.startsWith('Numeric')) return !Number.isNaN(readNumber(value));
  if (base.startsWith('Date')) return !Number.isNaN(readDate(value));
  return !base.endsWith('IpAddress') || isNetwork(value);
}

function isNetwork(value: string): boolean {
  const [address = '', prefix, ...rest] = value.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (family === 6 ? 128 : 32));
}

/** Whether a condition holds: one operator, one key, any of the values. */
export function holds(
  text: string,
  key: string,
  wanted: readonly string[],
  keys: ContextKeys,
  variables: Variables,
): boolean {
  const { qualifier, base, ifExists } = parseOperator(text);
  const actual = keys.get(key);
  if (base === 'Null') return wanted.some((value) => (value.toLowerCase() === 'true') === (actual === undefined));
  const operator = OPERATORS.get(base);
  if (operator === undefined) return false;
  const { test, negated } = operator;
  const isWanted = (value: string): boolean => wanted.some((text_) => test(text_, value, variables));
  if (qualifier === 'ForAllValues') return (actual ?? []).every((value) => isWanted(value) !== negated);
  if (qualifier === 'ForAnyValue') return (actual ?? []).some((value) => isWanted(value) !== negated);
  if (actual === undefined || actual.length === 0) return negated || ifExists;
  return negated ? !actual.some(isWanted) : actual.some(isWanted);
}
