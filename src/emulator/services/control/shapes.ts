/**
 * Shapes of the service model: what a member may be, the type that it has when
 * it is, and the words in which the service says that it is not.
 */
// Tests: test/emulator/services/control/control.test.ts
import { Refusal } from '../../wire/refusal.ts';

interface StringShape {
  readonly type: 'string';
  readonly min?: number | undefined;
  readonly max?: number | undefined;
  /** Must match the whole value. */
  readonly pattern?: string | undefined;
  readonly enum?: readonly string[] | undefined;
  /** Its value is left out of messages. */
  readonly sensitive?: boolean | undefined;
}

interface IntegerShape {
  readonly type: 'integer';
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

interface BooleanShape {
  readonly type: 'boolean';
}

/** Base64 on the wire. */
interface BlobShape {
  readonly type: 'blob';
  readonly min: number;
  readonly max: number;
}

interface ListShape {
  readonly type: 'list';
  readonly member: Shape;
  readonly max?: number | undefined;
}

export interface StructureShape {
  readonly type: 'structure';
  readonly members: Readonly<Record<string, Shape>>;
  readonly required?: readonly string[] | undefined;
}

export type Shape = StringShape | IntegerShape | BooleanShape | BlobShape | ListShape | StructureShape;

type RequiredOf<S> = S extends { required: readonly (infer N)[] } ? N : never;

/** The type that a value of a shape has in this program. */
export type ValueOf<S> = S extends { type: 'string'; enum: readonly (infer E)[] }
  ? E
  : S extends { type: 'string' }
    ? string
    : S extends { type: 'integer' }
      ? number
      : S extends { type: 'boolean' }
        ? boolean
        : S extends { type: 'blob' }
          ? Buffer
          : S extends { type: 'list'; member: infer M }
            ? readonly ValueOf<M>[]
            : S extends { type: 'structure'; members: infer M }
              ? { readonly [N in keyof M as N extends RequiredOf<S> ? N : never]: ValueOf<M[N]> } & {
                  readonly [N in keyof M as N extends RequiredOf<S> ? never : N]?: ValueOf<M[N]>;
                }
              : never;

/**
 * Checks what was sent and completes it to a value: blobs are decoded, and
 * members that are null or not in the model are left out.
 *
 * @param onUnknown told of each member that is not in the model
 *
 * @throws Refusal SerializationException for a wrong type, ValidationException for a value beyond its limits
 */
export function readShape(
  shape: StructureShape,
  sent: Readonly<Record<string, unknown>>,
  onUnknown: (path: string) => void,
): object {
  const errors: string[] = [];
  const value = readStructure(shape, sent, '', { errors, onUnknown });
  if (errors.length > 0) {
    const count = `${errors.length} validation error${errors.length === 1 ? '' : 's'} detected`;
    throw new Refusal(400, 'ValidationException', `${count}: ${errors.join('; ')}`, errors.join('; '));
  }
  return value;
}

/** A value that the service takes for no value of the type. */
export function notSerializable(reason: string): Refusal {
  return new Refusal(400, 'SerializationException', reason, reason);
}

/** A value that the model allows and the service does not. */
export function invalid(message: string, reason = message): Refusal {
  return new Refusal(400, 'ValidationException', message, reason);
}

/** Where problems and unknown members are told. */
interface Findings {
  readonly errors: string[];
  readonly onUnknown: (path: string) => void;
}

function readStructure(shape: StructureShape, sent: unknown, path: string, findings: Findings): object {
  if (typeof sent !== 'object' || sent === null || Array.isArray(sent))
    throw notSerializable(`${path} is no structure`);
  const given = new Map<string, unknown>(Object.entries(sent));
  const entries: [string, unknown][] = [];
  const within = (name: string): string => (path === '' ? name : `${path}.${name}`);
  for (const name of given.keys()) if (!Object.hasOwn(shape.members, name)) findings.onUnknown(within(name));
  for (const [name, member] of Object.entries(shape.members)) {
    const own = within(name);
    const value = given.get(name) ?? undefined;
    if (value !== undefined) entries.push([name, readValue(member, value, own, findings)]);
    else if (shape.required?.includes(name) === true)
      findings.errors.push(`Value null at '${own}' failed to satisfy constraint: Member must not be null`);
  }
  return Object.fromEntries(entries);
}

function readValue(shape: Shape, sent: unknown, path: string, findings: Findings): unknown {
  const { errors } = findings;
  if (shape.type === 'structure') return readStructure(shape, sent, path, findings);
  if (shape.type === 'list') return readList(shape, sent, path, findings);
  if (shape.type === 'blob') return readBlob(shape, sent, path, errors);
  if (shape.type === 'integer') return readInteger(shape, sent, path, errors);
  if (shape.type === 'string') return readString(shape, sent, path, errors);
  if (typeof sent !== 'boolean') throw notSerializable(`${path} is no boolean`);
  return sent;
}

function readList(shape: ListShape, sent: unknown, path: string, findings: Findings): unknown[] {
  if (!Array.isArray(sent)) throw notSerializable(`${path} is no list`);
  checkLength(shape, sent.length, 'Value', path, findings.errors);
  return sent.map((item: unknown, index) => readValue(shape.member, item, `${path}.${index + 1}.member`, findings));
}

function readBlob(shape: BlobShape, sent: unknown, path: string, errors: string[]): Buffer {
  const bytes = typeof sent === 'string' ? Buffer.from(sent, 'base64') : undefined;
  if (bytes === undefined || bytes.toString('base64') !== sent) throw notSerializable(`${path} is not base64`);
  checkLength(shape, bytes.length, 'Value', path, errors);
  return bytes;
}

function readInteger({ min, max }: IntegerShape, sent: unknown, path: string, errors: string[]): number {
  if (typeof sent !== 'number' || !Number.isInteger(sent)) throw notSerializable(`${path} is no integer`);
  const failed = `Value '${sent}' at '${path}' failed to satisfy constraint: Member must have value`;
  if (min !== undefined && sent < min) errors.push(`${failed} greater than or equal to ${min}`);
  if (max !== undefined && sent > max) errors.push(`${failed} less than or equal to ${max}`);
  return sent;
}

function readString(shape: StringShape, sent: unknown, path: string, errors: string[]): string {
  if (typeof sent !== 'string') throw notSerializable(`${path} is no string`);
  const shown = shape.sensitive === true ? 'Value' : `Value '${sent}'`;
  const failed = `${shown} at '${path}' failed to satisfy constraint: Member must satisfy`;
  checkLength(shape, Array.from(sent).length, shown, path, errors);
  if (shape.pattern !== undefined && !new RegExp(`^(?:${shape.pattern})$`, 'u').test(sent))
    errors.push(`${failed} regular expression pattern: ${shape.pattern}`);
  if (shape.enum !== undefined && !shape.enum.includes(sent))
    errors.push(`${failed} enum value set: [${shape.enum.join(', ')}]`);
  return sent;
}

function checkLength(
  { min, max }: { readonly min?: number | undefined; readonly max?: number | undefined },
  length: number,
  shown: string,
  path: string,
  errors: string[],
): void {
  const failed = `${shown} at '${path}' failed to satisfy constraint: Member must have length`;
  if (min !== undefined && length < min) errors.push(`${failed} greater than or equal to ${min}`);
  if (max !== undefined && length > max) errors.push(`${failed} less than or equal to ${max}`);
}
