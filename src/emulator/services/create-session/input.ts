/** The parameters of CreateSession, by the rules of the service's model. */
// Tests: test/emulator/services/create-session/create-session.test.ts
import { type ReceivedRequest, parseQuery, utf8 } from '../../wire/received.ts';
import { Refusal } from '../../wire/refusal.ts';
import type { OnUnknownMember } from '../context.ts';

export interface CreateSessionInput {
  readonly trustAnchorArn: string;
  readonly profileArn: string;
  readonly roleArn: string;
  readonly durationSeconds: number | undefined;
  readonly roleSessionName: string | undefined;
  readonly instanceProperties: Readonly<Record<string, string>> | undefined;
}

const ARN_PATTERNS = {
  trustAnchorArn: /^arn:aws(?:-[^:]+)?:rolesanywhere:[^:]*:[^:]*:(?:alias\/)?trust-anchor/,
  profileArn: /^arn:aws(?:-[^:]+)?:rolesanywhere:[^:]*:[^:]*:(?:alias\/)?profile/,
  roleArn: /^arn:aws(?:-[^:]+)?:iam:[^:]*:[^:]*:role/,
} as const;

const MAX_ARN_LENGTH = 1011;
const SESSION_NAME = /^[\w+=,.@-]{2,64}$/;
const MAX_INSTANCE_PROPERTIES = 50;

/** The members that the service has; `cert` comes in a header, and `sessionName` is the deprecated name of a session. */
const MEMBERS = new Set([
  ...Object.keys(ARN_PATTERNS),
  'durationSeconds',
  'roleSessionName',
  'instanceProperties',
  'sessionName',
  'cert',
]);

/**
 * Reads the ARNs from the query or the body, and the rest from the body.
 *
 * @throws Refusal
 */
export function readInput(request: ReceivedRequest, onUnknownMember: OnUnknownMember): CreateSessionInput {
  const query = readQuery(request);
  const body = readBody(request);
  for (const name of [...query.keys(), ...body.keys()]) if (!MEMBERS.has(name)) onUnknownMember('CreateSession', name);
  return {
    trustAnchorArn: readArn('trustAnchorArn', query, body),
    profileArn: readArn('profileArn', query, body),
    roleArn: readArn('roleArn', query, body),
    durationSeconds: readDuration(body.get('durationSeconds')),
    roleSessionName: readSessionName(body.get('roleSessionName')),
    instanceProperties: readInstanceProperties(body.get('instanceProperties')),
  };
}

function readQuery(request: ReceivedRequest): Map<string, string> {
  const query = new Map<string, string>();
  for (const [name, value] of parseQuery(request.query, malformed)) {
    if (query.has(name)) throw invalid(name, utf8(value), 'Member must occur once');
    query.set(name, utf8(value));
  }
  return query;
}

/** Members that are null are as good as absent. */
function readBody({ body }: ReceivedRequest): Map<string, unknown> {
  if (body.length === 0) return new Map();
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw malformed('the body is not JSON in UTF-8');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('the body is no JSON object');
  return new Map(Object.entries(value).filter(([, member]) => member !== null));
}

function readArn(
  name: keyof typeof ARN_PATTERNS,
  query: ReadonlyMap<string, string>,
  body: ReadonlyMap<string, unknown>,
): string {
  const inBody = body.get(name);
  const arn = query.get(name) ?? inBody;
  if (arn === undefined) throw invalid(name, undefined, 'Member must not be null');
  if (typeof arn !== 'string') throw malformed(`${name} is not a string`);
  if (inBody !== undefined && inBody !== arn) throw invalid(name, arn, 'Member must be the same in query and body');
  if (arn.length > MAX_ARN_LENGTH)
    throw invalid(name, arn, `Member must have length less than or equal to ${MAX_ARN_LENGTH}`);
  const pattern = ARN_PATTERNS[name];
  if (!pattern.test(arn)) throw invalid(name, arn, `Member must satisfy regular expression pattern: ${pattern.source}`);
  return arn;
}

function readDuration(value: unknown): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'number' || !Number.isInteger(value)) throw malformed('durationSeconds is not an integer');
  if (value < 900) throw invalid('durationSeconds', value, 'Member must have value greater than or equal to 900');
  if (value > 43_200) throw invalid('durationSeconds', value, 'Member must have value less than or equal to 43200');
  return value;
}

function readSessionName(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string') throw malformed('roleSessionName is not a string');
  if (!SESSION_NAME.test(value))
    throw invalid('roleSessionName', value, `Member must satisfy regular expression pattern: ${SESSION_NAME.source}`);
  return value;
}

function readInstanceProperties(value: unknown): Record<string, string> | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed('instanceProperties is no JSON object');
  const entries: [string, unknown][] = Object.entries(value);
  if (entries.length > MAX_INSTANCE_PROPERTIES)
    throw invalid('instanceProperties', undefined, 'Member must have length less than or equal to 50');
  return Object.fromEntries(entries.map(([key, text]) => [readProperty(key), readProperty(text)]));
}

function readProperty(text: unknown): string {
  if (typeof text !== 'string') throw malformed('a value in instanceProperties is not a string');
  if (text.length < 1 || text.length > 200)
    throw invalid('instanceProperties', undefined, 'Map keys and values must have length between 1 and 200');
  return text;
}

function invalid(name: string, value: string | number | undefined, constraint: string): Refusal {
  const shown = value === undefined ? 'Value' : `Value '${value}'`;
  const message = `1 validation error detected: ${shown} at '${name}' failed to satisfy constraint: ${constraint}`;
  return new Refusal(400, 'ValidationException', message, `${name}: ${constraint}`);
}

function malformed(reason: string): Refusal {
  return new Refusal(400, 'SerializationException', reason, reason);
}
