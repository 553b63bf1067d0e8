// Asks STS who it is, with the default chain and the signer of the AWS Common Runtime. Usage: node who-am-i-crt.mjs ENDPOINT
import { auth, http } from 'aws-crt';

const url = new URL(process.argv[2]);
const provider = auth.AwsCredentialsProvider.newDefault();
const request = new http.HttpRequest(
  'GET',
  '/?Action=GetCallerIdentity&Version=2011-06-15',
  new http.HttpHeaders([['Host', url.host]]),
);
await auth.aws_sign_request(request, {
  algorithm: auth.AwsSigningAlgorithm.SigV4,
  signature_type: auth.AwsSignatureType.HttpRequestViaHeaders,
  provider,
  region: 'us-east-1',
  service: 'sts',
});
const headers = Object.fromEntries(request.headers);
const answer = await fetch(new URL(request.path, url), { headers });
const text = await answer.text();
if (!answer.ok) throw new Error(text);
console.log(/<Arn>(.*)<\/Arn>/.exec(text)[1]);
