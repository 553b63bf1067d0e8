// Asks STS who it is, with the credentials of the SDK's default chain. Usage: node who-am-i.mjs ENDPOINT
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';

const client = new STSClient({ region: 'us-east-1', endpoint: process.argv[2] });
console.log((await client.send(new GetCallerIdentityCommand({}))).Arn);
