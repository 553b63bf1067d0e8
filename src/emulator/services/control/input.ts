/** The operation of a request and its input, by the rest-json protocol. */
// Tests: test/emulator/services/control/control.test.ts
import { type ReceivedRequest, parseQuery, utf8 } from '../../wire/received.ts';
import { OPERATIONS, type Operation, type OperationName } from './model.ts';
import { notSerializable } from './shapes.ts';

export interface Matched {
  readonly name: OperationName;
  /** Members in the path. */
  readonly labels: Readonly<Record<string, string>>;
}

/** The operation at a method and path, if there is one. */
export function matchOperation({ method, path }: Pick<ReceivedRequest, 'method' | 'path'>): Matched | undefined {
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    const labels = operation.method === method ? labelsOf(operation, path) : undefined;
    if (labels !== undefined && isOperation(name)) return { name, labels };
  }
  return undefined;
}

function isOperation(name: string): name is OperationName {
  return Object.hasOwn(OPERATIONS, name);
}

function labelsOf(operation: Operation, path: string): Record<string, string> | undefined {
  const [wanted, given] = [operation.path.split('/'), path.split('/')];
  if (wanted.length !== given.length) return undefined;
  const labels: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const own = given[index] ?? '';
    const [, label] = /^\{(\w+)\}$/.exec(part) ?? [];
    if (label === undefined ? part !== own : own === '') return undefined;
    if (label !== undefined) labels[label] = decode(own);
  }
  return labels;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw notSerializable('the path is not percent-encoded UTF-8');
  }
}

/**
 * Everything that was sent of the input, as JSON values.
 *
 * @throws Refusal SerializationException
 */
export function sentInput(request: ReceivedRequest, { name, labels }: Matched): Readonly<Record<string, unknown>> {
  const operation: Operation = OPERATIONS[name];
  const members = Object.keys(operation.input.members);
  const ofBody = members.some((member) => !(member in labels) && operation.query?.includes(member) !== true);
  return { ...readQuery(request, operation), ...(ofBody && readBody(request)), ...labels };
}

function readQuery(request: ReceivedRequest, { query = [], input }: Operation): Record<string, unknown> {
  const sent: Record<string, unknown> = {};
  const pairs = parseQuery(request.query, notSerializable);
  for (const [name, value] of pairs)
    // Under a name that no member has: what belongs into the body is not taken from the query.
    if (!query.includes(name) && !name.startsWith('X-Amz-')) sent[`?${name}`] = utf8(value);
  for (const name of query) {
    const values = pairs.flatMap(([own, value]) => (own === name ? [utf8(value)] : []));
    const [first] = values;
    if (first === undefined) continue;
    const type = input.members[name]?.type;
    if (type !== 'list' && values.length > 1) throw notSerializable(`${name} was sent ${values.length} times`);
    if (type === 'integer' && !/^-?\d{1,9}$/.test(first)) throw notSerializable(`${name} is no integer`);
    sent[name] = type === 'list' ? values : type === 'integer' ? Number(first) : first;
  }
  return sent;
}

function readBody({ body }: ReceivedRequest): Record<string, unknown> {
  if (body.length === 0) return {};
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw notSerializable('the body is not JSON in UTF-8');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw notSerializable('the body is no JSON object');
  return Object.fromEntries(Object.entries(value));
}
