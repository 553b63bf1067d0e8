/** Where STS is to be found. */
import { standardEndpoint } from './endpoints.ts';
import type { EndpointVariant } from './endpoints.ts';

/**
 * The regional endpoint, which AWS recommends over the global one. Its host
 * differs from that of Roles Anywhere by the service's name alone, and in
 * GovCloud, where every endpoint is of FIPS, by the lack of a word for that.
 * Source: botocore's endpoint rules for STS.
 *
 * @param partition as the second part of an ARN has it
 * @throws RolesAnywhereError `ERR_ENDPOINT` for an unknown partition, `ERR_REGION` for what cannot be a region
 */
export function stsEndpoint(partition: string, region: string, variant: EndpointVariant = {}): URL {
  const plain = partition === 'aws-us-gov' && variant.useDualStack !== true;
  const endpoint = standardEndpoint(partition, region, plain ? {} : variant);
  endpoint.hostname = endpoint.hostname.replace(/^rolesanywhere/, 'sts');
  return endpoint;
}
