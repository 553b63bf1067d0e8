// Has docker-credential-ecr-login get a registry's password from an ECR of one answer, which asks the emulator whose key it
// was asked with. Usage: node ecr-login.mjs ENDPOINT PROGRAM
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { askEmulator } from './ask-emulator.mjs';

const [, , endpoint, program] = process.argv;
const server = createServer(async ({ headers }, response) => {
  const key = /Credential=([^/]+)\//.exec(headers.authorization ?? '')?.[1] ?? 'none';
  await askEmulator(endpoint, { key, token: headers['x-amz-security-token'] ?? '', date: headers['x-amz-date'] });
  const authorizationData = [
    {
      authorizationToken: Buffer.from('AWS:password').toString('base64'),
      expiresAt: Date.now() / 1000 + 3600,
      proxyEndpoint: 'https://123456789012.dkr.ecr.us-east-1.amazonaws.com',
    },
  ];
  response.setHeader('Content-Type', 'application/x-amz-json-1.1').end(JSON.stringify({ authorizationData }));
});
await once(server.listen(0, '127.0.0.1'), 'listening');
const child = spawn(program, ['get'], {
  env: { ...process.env, AWS_ENDPOINT_URL: `http://127.0.0.1:${server.address().port}` },
  stdio: ['pipe', 'inherit', 'inherit'],
});
child.stdin.end('123456789012.dkr.ecr.us-east-1.amazonaws.com\n');
[process.exitCode] = await once(child, 'close');
server.close();
