/**
 * Validates a value by the part of JSON Schema (draft 2020-12) that the
 * emulator's own schemas use. A keyword that is not known is a mistake in the
 * schema, and throws.
 */
// Tests: test/emulator/world/file.test.ts

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** Words about the schema that constrain nothing. */
const ANNOTATIONS = new Set(['$schema', '$id', '$defs', 'title', 'description', 'default', 'examples']);

type Check = (value: unknown, constraint: unknown, context: Context) => readonly string[];

interface Context {
  readonly path: string;
  readonly schema: JsonSchema;
  readonly root: JsonSchema;
}

const KEYWORDS: Readonly<Record<string, Check>> = {
  $ref: (value, reference, { path, root }) => check(value, resolveReference(String(reference), root), path, root),
  type: (value, wanted, { path }) =>
    list(wanted).some((name) => isOfType(value, String(name)))
      ? []
      : [
          `${path} is not ${list(wanted)
            .map((name) => withArticle(String(name)))
            .join(' or ')}`,
        ],
  enum: (value, allowed, { path }) =>
    list(allowed).includes(value) ? [] : [`${path} is not one of ${list(allowed).join(', ')}`],
  pattern: (value, pattern, { path }) =>
    typeof value !== 'string' || new RegExp(String(pattern), 'u').test(value)
      ? []
      : [`${path} does not match ${String(pattern)}`],
  minimum: (value, least, { path }) =>
    typeof value === 'number' && value < Number(least) ? [`${path} is less than ${Number(least)}`] : [],
  maximum: (value, most, { path }) =>
    typeof value === 'number' && value > Number(most) ? [`${path} is more than ${Number(most)}`] : [],
  minLength: (value, least, { path }) =>
    typeof value === 'string' && value.length < Number(least) ? [`${path} is shorter than ${Number(least)}`] : [],
  maxLength: (value, most, { path }) =>
    typeof value === 'string' && value.length > Number(most) ? [`${path} is longer than ${Number(most)}`] : [],
  minItems: (value, least, { path }) =>
    Array.isArray(value) && value.length < Number(least) ? [`${path} has fewer than ${Number(least)} items`] : [],
  maxItems: (value, most, { path }) =>
    Array.isArray(value) && value.length > Number(most) ? [`${path} has more than ${Number(most)} items`] : [],
  items: (value, schema, { path, root }) =>
    Array.isArray(value)
      ? value.flatMap((item, index) => check(item, asSchema(schema), `${path}[${index}]`, root))
      : [],
  required: (value, names, { path }) =>
    list(names).flatMap((name) =>
      !isObject(value) || Object.hasOwn(value, String(name)) ? [] : [`${path} has no ${String(name)}`],
    ),
  properties: (value, schemas, { path, root }) =>
    Object.entries(asSchema(schemas)).flatMap(([name, schema]) =>
      isObject(value) && Object.hasOwn(value, name) ? check(value[name], asSchema(schema), join(path, name), root) : [],
    ),
  additionalProperties: (value, schema, { path, schema: { properties = {} }, root }) => {
    const known = asSchema(properties);
    const others = isObject(value) ? Object.entries(value).filter(([name]) => !Object.hasOwn(known, name)) : [];
    return others.flatMap(([name, item]) =>
      schema === false ? [`${path} has no member ${name}`] : check(item, asSchema(schema), join(path, name), root),
    );
  },
  oneOf: (value, schemas, { path, root }) => {
    const results = list(schemas).map((schema) => check(value, asSchema(schema), path, root));
    const fitting = results.filter((problems) => problems.length === 0).length;
    if (fitting === 1) return [];
    return fitting > 1 ? [`${path} fits more than one form`] : [results.flat().join(', or ')];
  },
};

/**
 * Every way in which a value breaks a schema, each with its place.
 *
 * @param name how the value as a whole is called, such as `the file`
 */
export function schemaProblems(value: unknown, schema: JsonSchema, name: string): readonly string[] {
  return check(value, schema, name, schema);
}

function check(value: unknown, schema: JsonSchema, path: string, root: JsonSchema): readonly string[] {
  const wrongType = schema['type'] === undefined ? [] : run('type', value, { path, schema, root });
  if (wrongType.length > 0) return wrongType; // the rest would only say so again
  return Object.keys(schema).flatMap((keyword) =>
    keyword === 'type' || ANNOTATIONS.has(keyword) ? [] : run(keyword, value, { path, schema, root }),
  );
}

function run(keyword: string, value: unknown, context: Context): readonly string[] {
  const test = KEYWORDS[keyword];
  if (test === undefined) throw new TypeError(`the keyword ${keyword} is not known`);
  return test(value, context.schema[keyword], context);
}

function resolveReference(reference: string, root: JsonSchema): JsonSchema {
  const [, name = ''] = /^#\/\$defs\/(\w+)$/.exec(reference) ?? [];
  return asSchema(asSchema(root['$defs'])[name]);
}

function isOfType(value: unknown, name: string): boolean {
  switch (name) {
    case 'object':
      return isObject(value);
    case 'array':
      return Array.isArray(value);
    case 'integer':
      return Number.isInteger(value);
    default:
      return typeof value === name;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asSchema(value: unknown): JsonSchema {
  if (!isObject(value)) throw new TypeError('a schema is no object');
  return value;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [value];
}

function join(path: string, name: string): string {
  return path.startsWith('the ') ? name : `${path}.${name}`;
}

/** A type of JSON in a sentence. */
function withArticle(name: string): string {
  return name === 'null' ? name : `${/^[aeiou]/.test(name) ? 'an' : 'a'} ${name}`;
}
