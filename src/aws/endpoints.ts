/** The endpoints: which URL a service is asked at. */
import { RolesAnywhereError } from '../platform/errors.ts';
import { about } from './session-limits.ts';

/** The DNS suffixes of each partition: of its standard and FIPS hosts, and of its dual-stack ones. Source: AWS's partition data. */
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

/** A service that credentials, or what is made of them, come from. `signin` is the console's federation endpoint. */
export type Service = 'rolesanywhere' | 'sts' | 'signin';

/** Which of a region's hosts to use. */
export interface EndpointVariant {
  /** One whose cryptography is validated under FIPS 140; AWS runs them in regions of the USA and Canada only. Default false. */
  readonly useFips?: boolean | undefined;
  /** One that is reached over IPv6 too. Default false. */
  readonly useDualStack?: boolean | undefined;
}

/** Where the services are. A URL is in place of the standard endpoint; its path stays in front of the operation's. */
export interface Endpoints extends EndpointVariant {
  readonly rolesanywhere?: URL | undefined;
  readonly sts?: URL | undefined;
  readonly signin?: URL | undefined;
  /** Whether a URL may be plain http to another machine, where others can read what is sent. Default false. */
  readonly allowHttp?: boolean | undefined;
}

/**
 * The endpoint at which `service` is asked: the one that was given, or the standard one.
 *
 * @param partition as the second part of an ARN has it
 * @throws RolesAnywhereError `ERR_ENDPOINT` for a URL that cannot be one, plain http to another machine and an unknown
 * partition, `ERR_REGION` for what cannot be a region
 */
export function endpointOf(
  { endpoints = {} }: { readonly endpoints?: Endpoints | undefined },
  service: Exclude<Service, 'signin'>,
  partition: string,
  region: string,
): URL {
  const given = endpoints[service];
  return given === undefined
    ? standardEndpoint(service, partition, region, endpoints)
    : parseEndpoint(given, 'the endpoint', endpoints.allowHttp);
}

/**
 * The standard endpoint of a service in a region. A host exists by rule for every region; whether AWS runs
 * it is another matter. STS is asked at its regional endpoint, which AWS recommends over the global one. Its host differs
 * from that of Roles Anywhere by the service's name alone, and in GovCloud, where every endpoint is of FIPS, by the lack
 * of a word for that. Source: botocore's endpoint rules for STS. Of FIPS there is none outside of the USA and Canada.
 * Source: AWS, "Federal Information Processing Standard (FIPS) 140-3".
 *
 * @param partition as the second part of an ARN has it
 * @throws RolesAnywhereError `ERR_ENDPOINT` for an unknown partition, and for FIPS where AWS does not run it;
 * `ERR_REGION` for what cannot be a region
 */
export function standardEndpoint(
  service: Exclude<Service, 'signin'>,
  partition: string,
  region: string,
  { useFips = false, useDualStack = false }: EndpointVariant = {},
): URL {
  if (!Object.hasOwn(DNS_SUFFIX, partition))
    throw new RolesAnywhereError(
      'ERR_ENDPOINT',
      `the endpoint of ${service} in partition ${JSON.stringify(partition)} is not known`,
      { hint: `give it with --${service === 'sts' ? 'sts-' : ''}endpoint` },
    );
  // The region becomes a part of the host name: nothing may slip in that ends the name.
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(region))
    throw new RolesAnywhereError('ERR_REGION', `${JSON.stringify(region)} is not a region`, {
      hint: 'give one such as us-east-1 with --region',
    });
  if (useFips && !/^(?:us|ca)-|^eu-isoe-/.test(region)) throw noFips(service, region);
  const named = useFips && !(service === 'sts' && partition === 'aws-us-gov' && !useDualStack);
  return new URL(
    `https://${service}${named ? '-fips' : ''}.${region}.${DNS_SUFFIX[partition]?.[useDualStack ? 1 : 0]}`,
  );
}

/** The error where AWS runs no endpoint of FIPS: asking another instead would be what nobody wanted. */
export function noFips(service: Service, where: string): RolesAnywhereError {
  return new RolesAnywhereError('ERR_ENDPOINT', `AWS runs no FIPS endpoint of ${service} in ${where}`, {
    hint: 'use a region that has one, name an endpoint, or switch FIPS off: --use-fips=false (useFips)',
  });
}

/**
 * Reads the URL of an endpoint.
 *
 * @param from what gave it, for messages: a flag, a variable, an option
 * @param allowHttp whether plain http may go beyond this machine; undefined: no, and there is no flag to say otherwise
 * @throws RolesAnywhereError `ERR_ENDPOINT`
 */
export function parseEndpoint(value: string | URL, from: string, allowHttp?: boolean): URL {
  const text = String(value);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const refuse = (what: string, hint = 'give https://HOST[:PORT][/PATH]'): RolesAnywhereError =>
    new RolesAnywhereError('ERR_ENDPOINT', `${from} ${what}`, about(from, hint));
  if (url === undefined || !/^https?:$/.test(url.protocol)) throw refuse('is not an http or https URL');
  if (`${url.username}${url.password}${url.search}${url.hash}` !== '')
    throw refuse('holds a user name, a query or a fragment');
  // URL writes every form of an IPv4 address as four decimal numbers.
  if (url.protocol === 'http:' && allowHttp !== true && !/^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(url.hostname))
    throw refuse(
      `is plain http to ${url.hostname}`,
      `use https: credentials would cross the network in the clear (${allowHttp === undefined ? 'http is for this machine alone' : '--allow-http takes that risk'})`,
    );
  return url;
}

/** The URL of an operation below an endpoint, whose own path stays in front. */
export function operationUrl(endpoint: URL, path: `/${string}`): URL {
  const url = new URL(endpoint);
  url.pathname = endpoint.pathname.replace(/\/+$/, '') + path;
  return url;
}
