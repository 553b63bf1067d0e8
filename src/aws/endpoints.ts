/** Where Roles Anywhere is to be found. */
import { RolesAnywhereError } from '../platform/errors.ts';

/** DNS suffixes of each partition: of its standard and FIPS hosts, and of its dual-stack ones. Source: AWS's partition data. */
const DNS_SUFFIX: Readonly<Record<string, readonly [string, string]>> = {
  aws: ['amazonaws.com', 'api.aws'],
  'aws-cn': ['amazonaws.com.cn', 'api.amazonwebservices.com.cn'],
  'aws-us-gov': ['amazonaws.com', 'api.aws'],
  'aws-eusc': ['amazonaws.eu', 'api.amazonwebservices.eu'],
  'aws-iso': ['c2s.ic.gov', 'api.aws.ic.gov'],
  'aws-iso-b': ['sc2s.sgov.gov', 'api.aws.scloud'],
  'aws-iso-e': ['cloud.adc-e.uk', 'api.cloud-aws.adc-e.uk'],
  'aws-iso-f': ['csp.hci.ic.gov', 'api.aws.hci.ic.gov'],
};

/** Which of a region's hosts to use. */
export interface EndpointVariant {
  /** One whose cryptography is validated under FIPS 140; AWS runs them in the regions of the USA only. */
  readonly useFips?: boolean;
  /** One that is reached over IPv6 too. */
  readonly useDualStack?: boolean;
}

/**
 * The standard endpoint of a region. A host exists by rule for every region
 * and variant; whether AWS runs it is another matter.
 *
 * @param partition as the second part of an ARN has it
 * @throws RolesAnywhereError `ERR_ENDPOINT` for an unknown partition, `ERR_REGION` for what cannot be a region
 */
export function standardEndpoint(partition: string, region: string, variant: EndpointVariant = {}): URL {
  // The region becomes a part of the host name: nothing may slip in that ends the name.
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region)) {
    throw new RolesAnywhereError('ERR_REGION', `${JSON.stringify(region)} is not a region`, {
      hint: 'give one such as us-east-1 with --region',
    });
  }
  const suffixes = Object.hasOwn(DNS_SUFFIX, partition) ? DNS_SUFFIX[partition] : undefined;
  if (suffixes === undefined) {
    throw new RolesAnywhereError(
      'ERR_ENDPOINT',
      `the endpoint for partition ${JSON.stringify(partition)} is not known`,
      { hint: 'give it with --endpoint' },
    );
  }
  const { useFips = false, useDualStack = false } = variant;
  return new URL(`https://rolesanywhere${useFips ? '-fips' : ''}.${region}.${suffixes[useDualStack ? 1 : 0]}`);
}

/**
 * The URL of an operation below an endpoint, whose own path stays in front.
 *
 * @throws RolesAnywhereError `ERR_ENDPOINT` when the endpoint is not http or https, or holds a
 * user name, a query or a fragment
 */
export function operationUrl(endpoint: URL, path: `/${string}`): URL {
  const { protocol, username, password, search, hash } = endpoint;
  if (protocol !== 'https:' && protocol !== 'http:') {
    throw new RolesAnywhereError(
      'ERR_ENDPOINT',
      `the endpoint's scheme is ${protocol.slice(0, -1)}, not https or http`,
      {
        hint: 'give --endpoint as https://HOST[:PORT][/PATH]',
      },
    );
  }
  if (username !== '' || password !== '' || search !== '' || hash !== '') {
    throw new RolesAnywhereError('ERR_ENDPOINT', 'the endpoint holds a user name, a query or a fragment', {
      hint: 'give --endpoint as https://HOST[:PORT][/PATH]',
    });
  }
  const url = new URL(endpoint);
  url.pathname = endpoint.pathname.replace(/\/+$/, '') + path;
  return url;
}
