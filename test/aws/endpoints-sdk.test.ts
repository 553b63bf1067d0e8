import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { partition as sdkPartition } from '@aws-sdk/util-endpoints';
import { expect, it } from 'vitest';
import { partitionOf } from '../../src/aws/arn.ts';
import { standardEndpoint } from '../../src/aws/endpoints.ts';
import { RolesAnywhereError } from '../../src/platform/errors.ts';
import type { EndpointVariant } from '../../src/aws/endpoints.ts';
import { createRequire } from 'node:module';

interface Partition {
  id: string;
  regionRegex: string;
  regions: Record<string, unknown>;
  outputs: { dnsSuffix: string; dualStackDnsSuffix: string; supportsFIPS: boolean; supportsDualStack: boolean };
}

/** The partition data that util-endpoints works with; it does not export them. */
function partitions(): Partition[] {
  const require = createRequire(createRequire(import.meta.url).resolve('@aws-sdk/util-endpoints'));
  // Its dependency, not ours.
  const core = dirname(require.resolve(['@aws-sdk/core', 'package.json'].join('/')));
  const file = join(core, 'dist-es/submodules/client/util-endpoints/lib/aws/partitions.js');
  const [, json] = /^export const partitionsInfo = (\{.*\});\s*$/s.exec(readFileSync(file, 'utf8')) ?? [];
  return (JSON.parse(json ?? '{}') as { partitions: Partition[] }).partitions;
}

const PARTITIONS = partitions();
/** Regions that have data, without the global pseudo-regions, and one that is not there yet in each partition. */
const REGIONS = PARTITIONS.flatMap(({ id, regions, regionRegex }) => {
  const known = Object.keys(regions).filter((region) => new RegExp(regionRegex).test(region));
  return known.map((region) => [id, region] as const);
});

/** The SDK's rules give a FIPS host to every region; AWS runs them in the USA and Canada, and what is isolated is not public. */
const runsFips = (region: string): boolean => /^(?:us|ca)-|isoe/.test(region);

/** The host under FIPS, or that there is none. */
function fipsHost(id: string, region: string, variant: EndpointVariant): string {
  try {
    return standardEndpoint('rolesanywhere', id, region, { ...variant, useFips: true }).host;
  } catch (error) {
    return error instanceof RolesAnywhereError && error.code === 'ERR_ENDPOINT' ? 'none' : String(error);
  }
}

it('knows the partitions that the SDK knows, and no other', () => {
  expect(PARTITIONS.length).toBeGreaterThan(7);
  for (const { id } of PARTITIONS) expect(() => standardEndpoint('rolesanywhere', id, 'us-east-1')).not.toThrow();
  expect(REGIONS.length).toBeGreaterThan(40);
});

it.each(REGIONS)('%s: the hosts of %s are those of the SDK', (id, region) => {
  const { name, dnsSuffix, dualStackDnsSuffix, supportsFIPS, supportsDualStack } = sdkPartition(region) as {
    name: string;
  } & Partition['outputs'];
  expect(name).toBe(id);
  expect({ supportsFIPS, supportsDualStack }).toEqual({ supportsFIPS: true, supportsDualStack: true });
  expect(partitionOf(region)).toBe(id);
  // The rules of the service's endpoint rule set, which the SDKs share.
  expect(standardEndpoint('rolesanywhere', id, region).host).toBe(`rolesanywhere.${region}.${dnsSuffix}`);
  expect(fipsHost(id, region, {})).toBe(runsFips(region) ? `rolesanywhere-fips.${region}.${dnsSuffix}` : 'none');
  expect(standardEndpoint('rolesanywhere', id, region, { useDualStack: true }).host).toBe(
    `rolesanywhere.${region}.${dualStackDnsSuffix}`,
  );
  expect(fipsHost(id, region, { useDualStack: true })).toBe(
    runsFips(region) ? `rolesanywhere-fips.${region}.${dualStackDnsSuffix}` : 'none',
  );
});

it.each([
  ['aws', 'us-east-1', 'amazonaws.com', 'api.aws'],
  ['aws-us-gov', 'us-gov-west-1', 'amazonaws.com', 'api.aws'],
  ['aws-cn', 'cn-north-1', 'amazonaws.com.cn', 'api.amazonwebservices.com.cn'],
  ['aws-eusc', 'eusc-de-east-1', 'amazonaws.eu', 'api.amazonwebservices.eu'],
  ['aws-iso', 'us-iso-east-1', 'c2s.ic.gov', 'api.aws.ic.gov'],
  ['aws-iso-b', 'us-isob-east-1', 'sc2s.sgov.gov', 'api.aws.scloud'],
  ['aws-iso-e', 'eu-isoe-west-1', 'cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk'],
  ['aws-iso-f', 'us-isof-east-1', 'csp.hci.ic.gov', 'api.aws.hci.ic.gov'],
])('%s has the hosts that the AWS documentation lists', (id, region, suffix, dualStack) => {
  const host = (variant: EndpointVariant): string => standardEndpoint('rolesanywhere', id, region, variant).host;
  expect([host({}), host({ useDualStack: true })]).toEqual([
    `rolesanywhere.${region}.${suffix}`,
    `rolesanywhere.${region}.${dualStack}`,
  ]);
  const fips = [suffix, dualStack].map((end) => (runsFips(region) ? `rolesanywhere-fips.${region}.${end}` : 'none'));
  expect([fipsHost(id, region, {}), fipsHost(id, region, { useDualStack: true })]).toEqual(fips);
});
