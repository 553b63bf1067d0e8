/**
 * The templates of `trust-policy` against the schema of CloudFormation that AWS publishes (@aws-cdk/aws-service-spec), and
 * the stack of the CDK against the template: the constructs that it uses are made of that schema, name by name. The
 * library of the CDK itself, with 40 MB packed, is no part of this; its compiler has seen the stack once.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadAwsServiceSpecSync } from '@aws-cdk/aws-service-spec';
import { rolldown } from 'rolldown';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { run } from '../../src/commands/trust-policy.ts';
import type { FlagsOf } from '../../src/options/flag-values.ts';
import { PKI } from '../support/cli.ts';
import { memoryIo } from '../support/io.ts';

type Flags = FlagsOf<'trust-policy'>;
type Json = Record<string, unknown>;

interface Template {
  readonly Resources: Readonly<Record<string, { readonly Type: string; readonly Properties: Json }>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

const ID = '11111111-2222-3333-4444-555555555555';
const ANCHORS: readonly (readonly [string, Partial<Flags>])[] = [
  ['a new anchor of certificates', { 'certificate-bundle': `${PKI}root.pem` }],
  [
    'a new anchor of a private CA',
    { 'acm-pca-arn': `arn:aws:acm-pca:us-east-1:111122223333:certificate-authority/${ID}` },
  ],
  [
    'an anchor that is there',
    { 'trust-anchor-arn': `arn:aws:rolesanywhere:us-east-1:111122223333:trust-anchor/${ID}` },
  ],
];

type Spec = ReturnType<typeof loadAwsServiceSpecSync>;
let spec: Spec;
let dir: string;
beforeAll(() => {
  spec = loadAwsServiceSpecSync();
  dir = mkdtempSync(join(tmpdir(), 'trust-policy-'));
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true }));

async function printed(format: Flags['format'], anchor: Partial<Flags>): Promise<string> {
  const io = memoryIo();
  await run({ certificate: `${PKI}ec-p256.crt.pem`, 'system-store-name': 'MY', format, ...anchor }, io);
  return io.out().toString();
}

/** A template as the two versions of YAML read it. */
async function templateFor(anchor: Partial<Flags>): Promise<Template> {
  const text = await printed('cloudformation', anchor);
  const template = parse(text, { version: '1.1' }) as Template;
  expect(parse(text)).toEqual(template);
  return template;
}

function resourceOf(type: string): ReturnType<Spec['lookup']>[number] & Json {
  const [resource] = spec.lookup('resource', 'cloudFormationType', 'equals', type);
  if (resource === undefined) throw new Error(`CloudFormation has no ${type}`);
  return resource as never;
}

/** What is wrong with properties, by a type of the schema or a resource. */
function problemsOf(
  value: unknown,
  properties: Readonly<Record<string, { type: Json; required?: boolean }>>,
  at: string,
): string[] {
  const given = value as Json;
  const missing = Object.entries(properties).flatMap(([name, { required }]) =>
    required === true && given[name] === undefined ? [`${at}.${name} is missing`] : [],
  );
  const wrong = Object.entries(given).flatMap(([name, part]) => {
    const property = properties[name];
    return property === undefined ? [`${at}.${name} is unknown`] : typeProblems(part, property.type, `${at}.${name}`);
  });
  return [...missing, ...wrong];
}

function typeProblems(value: unknown, type: Json, at: string): string[] {
  if (isAttribute(value)) return [];
  switch (type['type']) {
    case 'string': {
      const allowed = type['allowedValues'] as string[] | undefined;
      return typeof value === 'string' && allowed?.includes(value) !== false
        ? []
        : [`${at} is ${JSON.stringify(value)}`];
    }
    case 'boolean':
    case 'number':
      return typeof value === type['type'] ? [] : [`${at} is no ${type['type']}`];
    case 'json':
      return typeof value === 'object' ? [] : [`${at} is no JSON`];
    case 'union':
      return (type['types'] as Json[]).some((one) => typeProblems(value, one, at).length === 0)
        ? []
        : [`${at} fits none`];
    case 'array':
      if (!Array.isArray(value)) return [`${at} is no list`];
      return value.flatMap((item, index) => typeProblems(item, type['element'] as Json, `${at}[${index}]`));
    case 'ref': {
      const { properties } = spec.get('typeDefinition', type['reference'] as never) as unknown as {
        properties: Record<string, { type: Json; required?: boolean }>;
      };
      return problemsOf(value, properties, at);
    }
    default:
      throw new Error(`${at}: the schema has the type ${JSON.stringify(type)}, which this test does not know`);
  }
}

function isAttribute(value: unknown): value is { 'Fn::GetAtt': [string, string] } {
  return typeof value === 'object' && value !== null && 'Fn::GetAtt' in value;
}

/** Every attribute of a resource that something names. */
function attributesIn(value: unknown): [string, string][] {
  if (isAttribute(value)) return [value['Fn::GetAtt']];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(attributesIn) : [];
}

describe.each(ANCHORS)('with %s', (_, anchor) => {
  it('the template is one of CloudFormation’s', async () => {
    const template = await templateFor(anchor);
    const problems = Object.entries(template.Resources).flatMap(([name, { Type, Properties }]) =>
      problemsOf(Properties, resourceOf(Type)['properties'] as never, name),
    );
    expect(problems).toEqual([]);
    const named = attributesIn(template);
    expect(named.length).toBeGreaterThan(2);
    for (const [name, attribute] of named)
      expect(resourceOf(template.Resources[name]!.Type)['attributes']).toHaveProperty(attribute);
    expect(Object.keys(template.Outputs)).toEqual(['TrustAnchorArn', 'ProfileArn', 'RoleArn']);
  });

  it('the stack of the CDK makes the same resources', async () => {
    expect(await synthesized(await printed('cdk', anchor), dir)).toEqual(
      await templateFor(anchor).then(({ Resources, Outputs }) => ({ Resources, Outputs })),
    );
  });
});

const check = (properties: Json): string[] =>
  problemsOf(properties, resourceOf('AWS::RolesAnywhere::TrustAnchor')['properties'] as never, 'A');

it('knows a template that is none', async () => {
  const { Resources } = await templateFor(ANCHORS[0]![1]);
  const { Properties } = Resources['TrustAnchor']!;
  expect(check({ ...Properties, Enabled: 'true' })).toEqual(['A.Enabled is no boolean']);
  expect(check({ ...Properties, Nmae: 'x' })).toEqual(['A.Nmae is unknown']);
  expect(check({ Name: 'x' })).toEqual(['A.Source is missing']);
  expect(check({ ...Properties, Source: { SourceType: 'PEM', SourceData: {} } })).toEqual([
    'A.Source.SourceType is "PEM"',
  ]);
});

/** The constructs of the CDK, as far as a stack of L1 constructs needs them: each is a resource with the names of its props. */
const CONSTRUCTS = `
const upper = (name) => name[0].toUpperCase() + name.slice(1);
// The policy is free JSON, whose names are its own.
const named = (value, name) =>
  name === 'assumeRolePolicyDocument' || typeof value !== 'object' || value === null || 'Fn::GetAtt' in value
    ? value
    : Array.isArray(value)
      ? value
      : Object.fromEntries(Object.entries(value).map(([key, part]) => [upper(key), named(part, key)]));
export class Stack { constructor() { this.Resources = {}; this.Outputs = {}; } }
export class CfnOutput { constructor(stack, id, { value }) { stack.Outputs[id] = { Value: value }; } }
const construct = (Type) => class {
  constructor(stack, id, props) {
    stack.Resources[id] = { Type, Properties: named(props) };
    return new Proxy(this, { get: (_, name) => ({ 'Fn::GetAtt': [id, name.replace(/^attr/, '')] }) });
  }
};
export const CfnRole = construct('AWS::IAM::Role');
export const CfnProfile = construct('AWS::RolesAnywhere::Profile');
export const CfnTrustAnchor = construct('AWS::RolesAnywhere::TrustAnchor');
`;

let built = 0;

async function synthesized(stack: string, folder: string): Promise<unknown> {
  const bundle = await rolldown({
    input: 'stack.ts',
    plugins: [
      {
        name: 'stack',
        resolveId: (id) => (id === 'stack.ts' || id.startsWith('aws-cdk-lib') ? `\0${id.replace(/\/.*/, '')}` : null),
        load: (id) =>
          id === '\0stack.ts' ? { code: stack, moduleType: 'ts' } : id === '\0aws-cdk-lib' ? CONSTRUCTS : null,
      },
    ],
  });
  const file = join(folder, `stack-${(built += 1)}.mjs`);
  await bundle.write({ file, format: 'esm' });
  await bundle.close();
  const { WorkloadStack } = (await import(pathToFileURL(file).href)) as { WorkloadStack: new () => Template };
  const { Resources, Outputs } = new WorkloadStack();
  return { Resources, Outputs };
}
