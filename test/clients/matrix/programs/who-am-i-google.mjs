// Makes the signed GetCallerIdentity that Google's workload identity federation takes for a token, and sends it.
// Usage: node who-am-i-google.mjs ENDPOINT IMDS
import { once } from 'node:events';
import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { AwsClient } from 'google-auth-library';

const [, , endpoint, imds] = process.argv;
const client = new AwsClient({
  type: 'external_account',
  audience: '//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/aws',
  subject_token_type: 'urn:ietf:params:aws:token-type:aws4_request',
  token_url: 'https://sts.googleapis.com/v1/token',
  credential_source: {
    environment_id: 'aws1',
    region_url: `${imds}/latest/meta-data/placement/availability-zone`,
    url: `${imds}/latest/meta-data/iam/security-credentials`,
    imdsv2_session_token_url: `${imds}/latest/api/token`,
    regional_cred_verification_url: 'https://sts.{region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15',
  },
});
const { url, method, headers } = JSON.parse(decodeURIComponent(await client.retrieveSubjectToken()));
const { hostname, port } = new URL(endpoint);
const { pathname, search } = new URL(url);
const sent = Object.fromEntries(headers.map(({ key, value }) => [key, value]));
const asked = request({ hostname, port, path: pathname + search, method, headers: sent });
asked.end();
const [answer] = await once(asked, 'response');
const body = await text(answer);
if (answer.statusCode !== 200) throw new Error(body);
console.log(/<Arn>(.*)<\/Arn>/.exec(body)[1]);
